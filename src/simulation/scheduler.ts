/** Virtual time: what is due happens in order, each step runs all promises it set off to their end. Knows no real clock. */
interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class Scheduler {
  now: number;
  steps = 0;
  #order = 0;
  /** Binary heap, earliest first. */
  readonly #heap: Due[] = [];

  constructor(start: number) {
    this.now = start;
  }

  at(at: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at: Math.max(at, this.now), order: this.#order++, run });
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /** Runs the next thing that is due; false when nothing is. */
  async step(): Promise<boolean> {
    const due = this.#pop();
    if (!due) return false;
    this.now = due.at;
    this.steps++;
    due.run();
    await drained();
    return true;
  }

  #pop(): Due | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (!top || !last || heap.length === 0) return top;
    heap[0] = last;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < heap.length && this.#before(left, least)) least = left;
      if (right < heap.length && this.#before(right, least)) least = right;
      if (least === i) return top;
      this.#swap(i, least);
      i = least;
    }
  }

  #before(i: number, j: number): boolean {
    const [a, b] = [this.#heap[i], this.#heap[j]];
    return a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order));
  }

  #swap(i: number, j: number): void {
    const [a, b] = [this.#heap[i], this.#heap[j]];
    if (!a || !b) return;
    this.#heap[i] = b;
    this.#heap[j] = a;
  }
}

/** Every promise that can go on has gone on: a macrotask comes after all microtasks. */
const drained = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
