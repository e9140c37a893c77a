import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import headless from "@xterm/headless";
import type { RendererIo } from "../../src/ui/renderer.ts";

/** Remembers what was written. */
export class Sink extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get lines(): string[] {
    return stripVTControlCharacters(this.text).split("\n").slice(0, -1);
  }
}

/** A screen of the given size behind a writable that says it is a terminal. */
export class Terminal extends Writable {
  readonly isTTY = true;
  private readonly screen: InstanceType<typeof headless.Terminal>;

  constructor(columns: number, rows: number) {
    super({ decodeStrings: false });
    this.screen = new headless.Terminal({
      cols: columns,
      rows,
      scrollback: 2000,
      allowProposedApi: true,
      convertEol: true,
    });
  }

  get columns(): number {
    return this.screen.cols;
  }

  get rows(): number {
    return this.screen.rows;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.screen.write(chunk.toString(), done);
  }

  /** Resolves when everything written so far is on the screen. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.screen.write("", resolve));
  }

  resize(columns: number, rows: number): void {
    this.screen.resize(columns, rows);
  }

  /** Everything, scrolled away or not, without trailing blanks. */
  get all(): string[] {
    return this.read(0);
  }

  /** What is on the screen now. */
  get visible(): string[] {
    return this.read(this.screen.buffer.active.baseY);
  }

  private read(from: number): string[] {
    const { active } = this.screen.buffer;
    const lines = Array.from(
      { length: active.length - from },
      (_, i) => active.getLine(from + i)?.translateToString(true) ?? "",
    );
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }
}

export function ioFor(out: Writable, o: Partial<RendererIo> = {}): RendererIo & { readonly err: Sink } {
  return {
    out,
    err: new Sink(),
    color: false,
    columns: () => 80,
    now: () => Date.parse("2026-11-23T15:00:00Z"),
    isLab: false,
    ...o,
  } as RendererIo & { readonly err: Sink };
}
