/** An unbounded queue between producers that push and one consumer that iterates; `close` ends the iteration. */
export class Channel<T> implements AsyncIterable<T> {
  readonly #queue: T[] = [];
  #waiting: (() => void) | null = null;
  #closed = false;
  #failure: { readonly error: unknown } | null = null;

  push(value: T): void {
    if (this.#closed) return;
    this.#queue.push(value);
    this.#wake();
  }

  /** What was pushed before is still delivered. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    while (true) {
      while (this.#queue.length > 0) yield this.#queue.shift() as T;
      if (this.#closed) {
        if (this.#failure) throw this.#failure.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }
}
