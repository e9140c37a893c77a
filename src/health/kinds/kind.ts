import { readFileSync } from "node:fs";
import { z } from "zod";

/** Options of one check as the host's script sees them: names are upper case letters and digits. */
export type KindParameters = Readonly<Record<string, string | number | boolean>>;

export interface OptionProblem {
  /** Option it is about; empty: the check as a whole. */
  readonly path: string;
  readonly message: string;
}

export type ParsedOptions =
  | { readonly ok: true; readonly parameters: KindParameters }
  | { readonly ok: false; readonly problems: readonly OptionProblem[] };

/** One kind of health check: a file pair in this folder and a line in `index.ts`. */
export interface Kind {
  /** Lower case letters and digits; `check_<type>` is the function in `script`. */
  readonly type: string;
  /** Schema of the check as written in an inventory. */
  readonly config: z.ZodType;
  /** Static text, the same for every host and call. */
  readonly script: string;
  /** Validates a check and turns it into the script's options. */
  parse(check: unknown): ParsedOptions;
}

interface Base {
  readonly name: string;
  readonly type: string;
  readonly timeout: number;
}

/** Loads `<type>.sh` from beside this file. */
export function defineKind<C extends Base>(kind: {
  readonly type: string;
  readonly config: z.ZodType<C>;
  readonly parameters: (config: C) => KindParameters;
}): Kind {
  return {
    type: kind.type,
    config: kind.config,
    script: readFileSync(new URL(`./${kind.type}.sh`, import.meta.url), "utf8"),
    parse(check) {
      const parsed = z.safeParse(kind.config, check);
      if (!parsed.success) {
        const problems = parsed.error.issues.map((i) => ({ path: i.path.join("."), message: i.message }));
        return { ok: false, problems };
      }
      const { name, timeout } = parsed.data;
      const common = { TYPE: kind.type, NAME: name, TIMEOUT: timeout };
      return { ok: true, parameters: { ...common, ...kind.parameters(parsed.data) } };
    },
  };
}
