/** Who has not answered yet, while many hosts are asked something. Pure. */
import { duration, names, plural } from "./format.ts";
import { dim, type Line, line, strong } from "./line.ts";

export interface AskingView {
  readonly total: number;
  readonly answered: number;
  /** Asked and silent so far, the longest first. */
  readonly open: readonly { readonly name: string; readonly since: number }[];
  /** ms since the epoch. */
  readonly now: number;
}

export function askingLine({ total, answered, open, now }: AskingView): Line {
  const first = open[0];
  const still = open.map((o) => o.name);
  return line(
    dim(`${answered} of ${plural(total, "host")} answered; `),
    ...(first === undefined
      ? [dim("all asked so far have")]
      : [dim("still asking "), strong(names(still, 5)), dim(` for ${duration(now - first.since)}`)]),
  );
}
