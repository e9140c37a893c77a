/** Default cap of captured output, bytes per stream. */
export const DEFAULT_MAX_OUTPUT = 8 * 1024 * 1024;

/** A line longer than this is handed out in pieces: a program without newlines must not eat the memory. */
const MAX_LINE = 64 * 1024;

/** Collects one output stream: complete lines as they arrive, and the text at the end with its middle cut if too long. */
export class Capture {
  readonly #half: number;
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #lines = new TextDecoder();
  readonly #head: Uint8Array[] = [];
  #headSize = 0;
  #tail: Uint8Array[] = [];
  #tailSize = 0;
  #total = 0;
  #pending = "";

  constructor(maxBytes: number, onLine?: (line: string) => void) {
    this.#half = Math.max(1, Math.floor(maxBytes / 2));
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    this.#total += chunk.length;
    const room = this.#half - this.#headSize;
    if (room > 0) {
      this.#head.push(chunk.subarray(0, room));
      this.#headSize += Math.min(room, chunk.length);
    }
    if (chunk.length > room) this.#keepTail(chunk.subarray(Math.max(0, room)));
    if (this.#onLine !== undefined) this.#split(this.#lines.decode(chunk, { stream: true }));
  }

  /** Hands out a last unfinished line and returns everything kept, as text. */
  end(): string {
    if (this.#onLine !== undefined) {
      this.#split(this.#lines.decode());
      if (this.#pending !== "") this.#emit(this.#pending);
      this.#pending = "";
    }
    const tail = Buffer.concat(this.#tail).subarray(-this.#half);
    const cut = this.#total - this.#headSize - tail.length;
    if (cut <= 0) return Buffer.concat([...this.#head, tail]).toString("utf8");
    const head = new TextDecoder().decode(Buffer.concat(this.#head), { stream: true });
    return `${head}\n[… ${cut} bytes cut …]\n${tail.subarray(firstCharacter(tail)).toString("utf8")}`;
  }

  #keepTail(chunk: Uint8Array): void {
    this.#tail.push(chunk);
    this.#tailSize += chunk.length;
    while (this.#tailSize - (this.#tail[0]?.length ?? 0) >= this.#half) {
      this.#tailSize -= this.#tail.shift()?.length ?? 0;
    }
  }

  #split(text: string): void {
    const parts = (this.#pending + text).split("\n");
    this.#pending = parts.pop() ?? "";
    for (const line of parts) this.#emit(line);
    while (this.#pending.length > MAX_LINE) {
      this.#emit(this.#pending.slice(0, MAX_LINE));
      this.#pending = this.#pending.slice(MAX_LINE);
    }
  }

  #emit(line: string): void {
    this.#onLine?.(line.endsWith("\r") ? line.slice(0, -1) : line);
  }
}

/** Where the first whole UTF-8 character starts in bytes that were cut at the front. */
function firstCharacter(bytes: Uint8Array): number {
  let at = 0;
  while (at < 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at++;
  return at;
}

/**
 * Hands chunks on one after the other and pauses `source` meanwhile. `done` resolves when the last was taken;
 * `onFailure` is told when the taker throws.
 */
export function heldBack(
  source: { pause(): unknown; resume(): unknown },
  take: (chunk: Uint8Array) => Promise<void>,
  onFailure: (error: unknown) => void,
): { push(chunk: Uint8Array): void; done(): Promise<void> } {
  let tail: Promise<void> = Promise.resolve();
  let waiting = 0;
  return {
    push(chunk) {
      waiting++;
      source.pause();
      tail = tail
        .then(() => take(chunk))
        .then(() => {
          if (--waiting === 0) source.resume();
        });
      tail.catch(onFailure);
    },
    done: () => tail.catch(() => undefined),
  };
}
