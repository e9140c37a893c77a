/** Lines as data: text with a tone. A terminal paints them, a web page turns them into classes. Pure. */
import { clean, head, width } from "./width.ts";

export type Tone = "plain" | "strong" | "dim" | "ok" | "bad" | "warn" | "accent";

export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

export type Line = readonly Span[];

/** Cleans its text: nothing a host said can move the cursor. */
export function span(text: string, tone: Tone = "plain"): Span {
  return { text: clean(text), tone };
}

export const strong = (text: string): Span => span(text, "strong");
export const dim = (text: string): Span => span(text, "dim");
export const good = (text: string): Span => span(text, "ok");
export const bad = (text: string): Span => span(text, "bad");
export const warn = (text: string): Span => span(text, "warn");
export const accent = (text: string): Span => span(text, "accent");

type Part = string | Span | Line | null | undefined | false;

/** Joins parts as they are; nothing in between, absent ones left out. */
export function line(...parts: readonly Part[]): Line {
  return parts.flatMap((part): readonly Span[] => {
    if (part === null || part === undefined || part === false || part === "") return [];
    if (typeof part === "string") return [span(part)];
    return isLine(part) ? part : [part];
  });
}

function isLine(part: Span | Line): part is Line {
  return Array.isArray(part);
}

export function textOf(spans: Line): string {
  return spans.map((s) => s.text).join("");
}

export function lineWidth(spans: Line): number {
  return spans.reduce((sum, s) => sum + width(s.text), 0);
}

/** Cut to `columns` cells, with an ellipsis where something is missing. */
export function cutTo(spans: Line, columns: number): Line {
  if (lineWidth(spans) <= columns) return spans;
  const out: Span[] = [];
  let left = Math.max(0, columns - 1);
  for (const s of spans) {
    const text = head(s.text, left);
    if (text !== "") out.push({ ...s, text });
    left -= width(text);
    if (text.length < s.text.length) break;
  }
  if (columns > 0) out.push(dim("…"));
  return out;
}

/** Puts segments on as few lines as fit; following lines are indented. */
export function flow(segments: readonly Line[], columns: number, o: FlowOptions = {}): Line[] {
  const gap = " ".repeat(o.gap ?? 3);
  const indent = " ".repeat(o.indent ?? 1);
  const lines: Line[] = [];
  let current: Line = [];
  for (const segment of segments) {
    if (segment.length === 0) continue;
    if (current.length === 0) current = lines.length === 0 ? segment : line(indent, segment);
    else if (lineWidth(current) + gap.length + lineWidth(segment) <= columns) {
      current = line(current, gap, segment);
    } else {
      lines.push(current);
      current = line(indent, segment);
    }
  }
  if (current.length > 0) lines.push(current);
  return lines.map((l) => cutTo(l, columns));
}

interface FlowOptions {
  readonly gap?: number;
  readonly indent?: number;
}

/** Breaks at spaces so that nothing is lost; a word longer than the line is broken hard. */
export function wrap(spans: Line, columns: number, indent = 0): Line[] {
  if (lineWidth(spans) <= columns) return [spans];
  const margin = Math.min(indent, Math.floor(columns / 2));
  const lines: Span[][] = [[]];
  let used = 0;
  const breakLine = () => {
    lines.push(margin > 0 ? [span(" ".repeat(margin))] : []);
    used = margin;
  };
  for (const s of spans) {
    for (const word of s.text.split(/(?<= )(?! )/)) {
      let rest = word;
      if (used > margin && used + width(rest.trimEnd()) > columns) breakLine();
      while (used + width(rest.trimEnd()) > columns) {
        const piece = head(rest, Math.max(1, columns - used)) || rest.slice(0, 2);
        lines.at(-1)?.push({ ...s, text: piece });
        rest = rest.slice(piece.length);
        breakLine();
      }
      const text = head(rest, columns - used);
      if (text !== "") lines.at(-1)?.push({ ...s, text });
      used += width(text);
    }
  }
  return lines;
}
