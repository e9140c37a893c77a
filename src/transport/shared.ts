export interface SharedOptions<T> {
  readonly close: (value: T) => Promise<void>;
  readonly isBroken: (value: T) => boolean;
  /** How long a value nobody uses is kept, ms. */
  readonly idleMs: number;
}

/** A use of a shared value. */
export interface Lease<T> {
  readonly value: T;
  release(): Promise<void>;
}

interface Entry<T> {
  readonly controller: AbortController;
  readonly opening: Promise<T>;
  value?: T;
  users: number;
  idle?: NodeJS.Timeout;
}

/**
 * Expensive values by key, opened once however many ask at the same time, counted while used, closed when idle.
 * A caller that gives up does not disturb the others; when the last one gives up, the opening is aborted.
 */
export class Shared<T> implements AsyncDisposable {
  readonly #options: SharedOptions<T>;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(options: SharedOptions<T>) {
    this.#options = options;
  }

  async lease(
    key: string,
    open: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<Lease<T>> {
    signal.throwIfAborted();
    const entry = this.#usable(key) ?? this.#open(key, open);
    clearTimeout(entry.idle);
    entry.users++;
    try {
      const value = await abortable(entry.opening, signal);
      return { value, release: once(() => this.#release(key, entry)) };
    } catch (error) {
      entry.users--;
      if (entry.users === 0 && entry.value === undefined) this.#abandon(key, entry);
      throw error;
    }
  }

  /** Closes the value that has been idle longest; false when all are in use. */
  async evictIdle(): Promise<boolean> {
    for (const [key, entry] of this.#entries) {
      if (entry.users > 0 || entry.value === undefined) continue;
      await this.#drop(key, entry);
      return true;
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#entries].map(async ([key, entry]) => {
        if (entry.value === undefined) this.#abandon(key, entry);
        else await this.#drop(key, entry);
      }),
    );
  }

  #usable(key: string): Entry<T> | undefined {
    const entry = this.#entries.get(key);
    if (entry?.value === undefined || !this.#options.isBroken(entry.value)) return entry;
    this.#forget(key, entry);
    if (entry.users === 0) this.#close(entry.value);
    return undefined;
  }

  #open(key: string, open: (signal: AbortSignal) => Promise<T>): Entry<T> {
    const controller = new AbortController();
    const entry: Entry<T> = { controller, opening: open(controller.signal), users: 0 };
    this.#entries.set(key, entry);
    entry.opening.then(
      (value) => {
        entry.value = value;
        if (controller.signal.aborted) this.#close(value);
      },
      () => this.#forget(key, entry),
    );
    return entry;
  }

  async #release(key: string, entry: Entry<T>): Promise<void> {
    entry.users--;
    if (entry.users > 0 || entry.value === undefined) return;
    const { idleMs, isBroken } = this.#options;
    if (idleMs === 0 || isBroken(entry.value) || this.#entries.get(key) !== entry) {
      await this.#drop(key, entry);
      return;
    }
    // Re-inserted: the map's order is how long entries have been idle.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    entry.idle = setTimeout(() => void this.#drop(key, entry), idleMs).unref();
  }

  #abandon(key: string, entry: Entry<T>): void {
    this.#forget(key, entry);
    entry.controller.abort();
  }

  async #drop(key: string, entry: Entry<T>): Promise<void> {
    this.#forget(key, entry);
    if (entry.value !== undefined) await this.#options.close(entry.value);
  }

  #forget(key: string, entry: Entry<T>): void {
    clearTimeout(entry.idle);
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
  }

  #close(value: T): void {
    this.#options.close(value).catch(() => undefined);
  }
}

/** The promise, or the signal's reason if that comes first. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function once(action: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return () => {
    result ??= action();
    return result;
  };
}
