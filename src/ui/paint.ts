import pc from "picocolors";
import type { Line, Tone } from "./view/line.ts";

/** Lines to strings, coloured or not. */
export type Paint = (line: Line) => string;

export function createPaint(color: boolean): Paint {
  const c = pc.createColors(color);
  const tones: Readonly<Record<Tone, (text: string) => string>> = {
    plain: (text) => text,
    strong: c.bold,
    dim: c.dim,
    ok: c.green,
    bad: c.red,
    warn: c.yellow,
    accent: c.cyan,
  };
  return (line) => line.map((s) => tones[s.tone](s.text)).join("");
}
