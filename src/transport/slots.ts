/** A counting semaphore whose waiters can be aborted: how many of something may happen at once. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    if (!Number.isInteger(count) || count < 1)
      throw new RangeError(`slots must be a whole number >= 1, not ${count}`);
    this.#free = count;
  }

  /** Would the next caller have to wait? */
  get full(): boolean {
    return this.#free === 0;
  }

  /** Is somebody waiting? */
  get wanted(): boolean {
    return this.#waiting.size > 0;
  }

  /** Waits for a slot, first come first served; dispose the result to give it back (twice does no harm). */
  async acquire(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release();
        held = false;
      },
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(onTurn);
        reject(signal.reason);
      };
      const onTurn = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(onTurn);
    });
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
