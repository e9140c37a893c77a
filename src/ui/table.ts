import Table from "cli-table3";
import { clean } from "./view/width.ts";

/** One column of a listing; `cell` returns text, `null` shows as `-`. */
export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string | number | null | undefined;
  readonly align?: "left" | "right";
  /** Only with `-o wide`. */
  readonly wide?: boolean;
}

const NO_BORDER = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "   ",
};

/** A listing as kubectl prints it: capital heads, no borders, nothing cut. Ends without a newline. */
export function renderTable<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  o: { readonly wide?: boolean } = {},
): string {
  const shown = columns.filter((c) => o.wide === true || c.wide !== true);
  const table = new Table({
    head: shown.map((c) => c.head.toUpperCase()),
    colAligns: shown.map((c) => c.align ?? "left"),
    chars: NO_BORDER,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0, compact: true },
  });
  for (const row of rows) table.push(shown.map((c) => text(c.cell(row))));
  return table
    .toString()
    .split("\n")
    .map((l) => l.trimEnd())
    .join("\n");
}

function text(value: string | number | null | undefined): string {
  const shown = value === null || value === undefined || value === "" ? "-" : String(value);
  return clean(shown);
}
