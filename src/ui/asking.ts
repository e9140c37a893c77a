/** Says on stderr, when it takes a while, which hosts have not answered yet: a line rewritten on a terminal, else a new one now and then. */
import type { Clock } from "../kernel/clock.ts";
import { createPaint } from "./paint.ts";
import { askingLine } from "./view/asking.ts";
import { cutTo } from "./view/line.ts";

export interface AskingOptions {
  readonly err: Pick<NodeJS.WriteStream, "write"> & { readonly isTTY?: boolean; readonly columns?: number };
  readonly clock: Clock;
  readonly color: boolean;
  /** Hosts there are to ask. */
  readonly total: number;
}

/** Nothing is said before. */
const PATIENCE_MS = 2_000;
const REDRAW_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const ERASE = "\r\u001b[2K";

export class Asking implements Disposable {
  readonly #o: AskingOptions;
  readonly #open = new Map<string, number>();
  readonly #over = new AbortController();
  #answered = 0;
  #drawn = false;

  constructor(options: AskingOptions) {
    this.#o = options;
    this.#speak().catch(() => undefined); // Aborted: it is over.
  }

  /** Does `work`, during which `host` counts as asked. */
  async during<T>(host: string, work: () => Promise<T>): Promise<T> {
    this.#open.set(host, this.#o.clock.now());
    try {
      return await work();
    } finally {
      this.#open.delete(host);
      this.#answered++;
    }
  }

  [Symbol.dispose](): void {
    this.#over.abort();
    if (this.#drawn) this.#o.err.write(ERASE);
  }

  async #speak(): Promise<void> {
    const { clock, err, color, total } = this.#o;
    const paint = createPaint(color);
    for (let pause = PATIENCE_MS; ; pause = err.isTTY ? REDRAW_MS : Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await clock.sleep(pause, this.#over.signal);
      const now = clock.now();
      const open = [...this.#open].map(([name, since]) => ({ name, since }));
      if (open.length === 0 && !this.#drawn) continue;
      const text = askingLine({ total, answered: this.#answered, open, now });
      this.#drawn = err.isTTY === true;
      err.write(this.#drawn ? `${ERASE}${paint(cutTo(text, (err.columns ?? 80) - 1))}` : `${paint(text)}\n`);
    }
  }
}
