/** `store-[001:120]` names many hosts: inclusive, counting up, zero padding kept; several ranges multiply. */

/** Most names one inventory may have. */
export const MAX_HOSTS = 5000;

export interface RangeMember {
  readonly name: string;
  /** Position within the range, from 0: what `10.40.1.10+` adds. */
  readonly index: number;
  /** The number as written in the name, `{n}` in templates; several ranges join with `-`. */
  readonly n: string;
}

type Expansion =
  | { readonly kind: "single" }
  | { readonly kind: "range"; readonly members: readonly RangeMember[] }
  | { readonly kind: "invalid"; readonly reason: string };

const RANGE = /\[([^\]]*)\]/g;

/** What a key of `hosts` stands for. */
export function expandName(key: string): Expansion {
  if (!/[[\]]/.test(key)) return { kind: "single" };
  const literals: string[] = [];
  const ranges: string[][] = [];
  let end = 0;
  let total = 1;
  for (const match of key.matchAll(RANGE)) {
    const numbers = expandNumbers(match[1] ?? "");
    if (typeof numbers === "string") return { kind: "invalid", reason: numbers };
    literals.push(key.slice(end, match.index));
    ranges.push(numbers);
    end = match.index + match[0].length;
    total *= numbers.length;
    if (total > MAX_HOSTS) return { kind: "invalid", reason: `names more than ${MAX_HOSTS} hosts` };
  }
  const tail = key.slice(end);
  if (ranges.length === 0 || /[[\]]/.test(tail) || literals.some((part) => part.includes("]"))) {
    return { kind: "invalid", reason: "has an unclosed [" };
  }
  let combinations: { prefix: string; n: string }[] = [{ prefix: "", n: "" }];
  ranges.forEach((numbers, i) => {
    combinations = combinations.flatMap(({ prefix, n }) =>
      numbers.map((number) => ({
        prefix: `${prefix}${literals[i] ?? ""}${number}`,
        n: n === "" ? number : `${n}-${number}`,
      })),
    );
  });
  return {
    kind: "range",
    members: combinations.map(({ prefix, n }, index) => ({ name: prefix + tail, index, n })),
  };
}

/** `001:003` -> 001, 002, 003; a sentence when it is no range. */
function expandNumbers(body: string): string[] | string {
  const match = /^(\d{1,9}):(\d{1,9})$/.exec(body);
  if (match === null) return `[${body}] is not a range; write it as [1:9] or [001:120]`;
  const [, first = "", last = ""] = match;
  const from = Number(first);
  const to = Number(last);
  if (from > to) return `range [${body}] counts down`;
  if (to - from >= MAX_HOSTS) return `range [${body}] names more than ${MAX_HOSTS} hosts`;
  const width = first.startsWith("0") && first.length > 1 ? first.length : 0;
  if (width > 0 && last.length !== width) return `range [${body}] mixes widths; pad both ends alike`;
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i).padStart(width, "0"));
}

/** RFC 1123 label, lower-case: what a host may be called. */
export function isHostName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
}

/** `a-01 … a-03` as `a-01…03`; others listed, the middle cut beyond `max` entries. Names must be in order. */
export function summarizeNames(names: readonly string[], max = 4): string {
  const parts: { prefix: string; first: string; last: string; count: number }[] = [];
  for (const name of names) {
    const match = /^(.*?)(\d+)$/.exec(name);
    const [prefix, n] = match ? [match[1] ?? "", match[2] ?? ""] : [name, ""];
    const open = parts.at(-1);
    const follows =
      open !== undefined && n !== "" && open.prefix === prefix && Number(open.last) + 1 === Number(n);
    if (follows) {
      open.last = n;
      open.count++;
    } else {
      parts.push({ prefix, first: n, last: n, count: 1 });
    }
  }
  const texts = parts.map(({ prefix, first, last, count }) =>
    count === 1
      ? prefix + first
      : count === 2
        ? `${prefix}${first}, ${prefix}${last}`
        : `${prefix}${first}…${last}`,
  );
  return texts.length <= max
    ? texts.join(", ")
    : `${texts.slice(0, max).join(", ")} and ${texts.length - max} more`;
}
