import { clean, pad, width } from "./view/width.ts";

/** One column of a listing; `cell` returns text, `null` shows as `-`. */
export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string | number | null | undefined;
  readonly align?: "left" | "right";
  /** Only with `-o wide`. */
  readonly wide?: boolean;
}

const GAP = "   ";

/** A listing as kubectl prints it: capital heads, no borders, nothing cut. Ends without a newline. */
export function renderTable<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  o: { readonly wide?: boolean } = {},
): string {
  const shown = columns.filter((c) => o.wide === true || c.wide !== true);
  const table = [
    shown.map((c) => c.head.toUpperCase()),
    ...rows.map((row) => shown.map((c) => text(c.cell(row)))),
  ];
  const cells = shown.map((_, i) => table.reduce((most, line) => Math.max(most, width(line[i] ?? "")), 0));
  return table
    .map((line) =>
      line
        .map((cell, i) => pad(cell, cells[i] ?? 0, shown[i]?.align === "right" ? "left" : "right"))
        .join(GAP)
        .trimEnd(),
    )
    .join("\n");
}

function text(value: string | number | null | undefined): string {
  const shown = value === null || value === undefined || value === "" ? "-" : String(value);
  return clean(shown);
}
