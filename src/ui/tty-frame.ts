import { DefaultRenderer, type ProcessOutput } from "listr2";
import { width } from "./view/width.ts";

export interface LiveFrame {
  readonly out: ProcessOutput;
  columns(): number;
  /** Painted lines that fit. */
  frame(): readonly string[];
}

/** listr2's terminal renderer with its task lines replaced by a frame of ours. */
export function liveRenderer(live: LiveFrame): typeof DefaultRenderer {
  return class extends DefaultRenderer {
    // Whether `out` is a terminal was decided before; listr2 would ask the process's own stdout.
    static override nonTTY = true;
    #drawn: readonly string[] = [];
    #columns = live.columns();

    override create(): string {
      this.#drawn = live.frame();
      return this.#drawn.join("\n");
    }

    override update(): void {
      const columns = live.columns();
      if (columns < this.#columns) live.out.toStdout(eraseReflowed(this.#drawn, columns), false);
      this.#columns = columns;
      super.update();
    }
  };
}

const ESC = "\u001b";

/**
 * A terminal that became narrower has wrapped the old lines, so more rows must go than were drawn. Erases those
 * and puts the cursor where the eraser that follows expects it: below as many rows as were drawn.
 */
function eraseReflowed(drawn: readonly string[], columns: number): string {
  const rows = drawn.reduce((sum, text) => sum + Math.max(1, Math.ceil(width(plain(text)) / columns)), 0);
  if (rows <= drawn.length) return "";
  return `${`${ESC}[2K${ESC}[1A`.repeat(rows)}${ESC}[2K\r${ESC}[${drawn.length}B`;
}

function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}
