/** Text as terminal cells. Pure. What hosts say is cleaned first: an escape sequence must never reach a terminal. */

// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/gu;
const INVISIBLE = /\p{Cf}/gu;
const COMBINING = /^\p{M}$/u;
const EMOJI = /^\p{Emoji_Presentation}$/u;

/** One line of printable text: sequences removed, control characters to spaces, direction overrides dropped. */
export function clean(text: string): string {
  return text.replace(ESCAPES, "").replace(CONTROL, " ").replace(INVISIBLE, "");
}

/** Cells of one code point: 0, 1 or 2. */
function cells(char: string): number {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (COMBINING.test(char)) return 0;
  return EMOJI.test(char) || isWide(code) ? 2 : 1;
}

/** East Asian wide and fullwidth blocks. */
function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0x303e) ||
    (code >= 0x3041 && code <= 0xa4cf) ||
    (code >= 0xa960 && code <= 0xa97f) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x1f300 && code <= 0x1f64f) ||
    (code >= 0x1f900 && code <= 0x1f9ff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}

export function width(text: string): number {
  let total = 0;
  for (const char of text) total += cells(char);
  return total;
}

/** The longest beginning of `text` that fits into `columns` cells. */
export function head(text: string, columns: number): string {
  let used = 0;
  let end = 0;
  for (const char of text) {
    used += cells(char);
    if (used > columns) break;
    end += char.length;
  }
  return text.slice(0, end);
}

/** Padded with spaces on the right (or left) to `columns` cells. */
export function pad(text: string, columns: number, side: "left" | "right" = "right"): string {
  const fill = " ".repeat(Math.max(0, columns - width(text)));
  return side === "right" ? text + fill : fill + text;
}
