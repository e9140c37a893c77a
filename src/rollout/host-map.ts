/**
 * Hosts by name, immutable, cheap to copy with one of them changed: a journal of 60,000 events over 5,000 hosts replays
 * in a blink. Kept in parts; what is asked of a part again and again is worked out once for as long as it lasts, so a
 * question about 5,000 hosts costs a look at one part and a few dozen remembered answers. Pure.
 */

/** A few dozen values that stand together. */
export class Part<T> {
  readonly values: readonly T[];
  readonly #known = new Map<(values: readonly T[]) => unknown, unknown>();

  constructor(values: readonly T[]) {
    this.values = values;
  }

  /** What `work` makes of the values. It must be pure and live as long as the program: its answer is remembered. */
  recall<R>(work: (values: readonly T[]) => R): R {
    if (!this.#known.has(work)) this.#known.set(work, work(this.values));
    return this.#known.get(work) as R;
  }
}

const SMALLEST_PART = 16;

export class HostMap<T> implements ReadonlyMap<string, T> {
  /** Where a name's value is: number of its part times `#stride`, plus its place in it. */
  readonly #place: ReadonlyMap<string, number>;
  readonly #stride: number;
  readonly #parts: readonly Part<T>[];
  /** The first part of each section, and the end of the last. */
  readonly #bounds: readonly number[];
  /** All values in one, made when first asked for. */
  #flat: readonly T[] | null = null;

  private constructor(
    place: ReadonlyMap<string, number>,
    stride: number,
    parts: readonly Part<T>[],
    bounds: readonly number[],
  ) {
    this.#place = place;
    this.#stride = stride;
    this.#parts = parts;
    this.#bounds = bounds;
  }

  /** Section after section. No name may be in it twice. */
  static of<T>(...sections: readonly Iterable<readonly [string, T]>[]): HostMap<T> {
    const lists = sections.map((entries) => [...entries]);
    const total = lists.reduce((sum, list) => sum + list.length, 0);
    // As many parts as values in each: a change copies one part and the list of parts.
    const stride = Math.max(SMALLEST_PART, Math.ceil(Math.sqrt(total)));
    const place = new Map<string, number>();
    const parts: Part<T>[] = [];
    const bounds = [0];
    for (const list of lists) {
      for (let i = 0; i < list.length; i += stride) {
        const some = list.slice(i, i + stride);
        for (const [j, [name]] of some.entries()) {
          if (place.has(name)) throw new RangeError(`${name} is in this map already`);
          place.set(name, parts.length * stride + j);
        }
        parts.push(new Part(some.map(([, value]) => value)));
      }
      bounds.push(parts.length);
    }
    return new HostMap(place, stride, parts, bounds);
  }

  /** The same map with another value for a name that is in it; other names are refused with a `RangeError`. */
  with(name: string, value: T): HostMap<T> {
    const i = this.#place.get(name);
    if (i === undefined) throw new RangeError(`no host ${name} in this map`);
    const at = Math.floor(i / this.#stride);
    const part = new Part((this.#parts[at]?.values ?? []).with(i % this.#stride, value));
    return new HostMap(this.#place, this.#stride, this.#parts.with(at, part), this.#bounds);
  }

  /** The parts of one section (from 0), in order; without a section all of them. A section that is not there is empty. */
  parts(section?: number): readonly Part<T>[] {
    if (section === undefined) return this.#parts;
    return this.#parts.slice(this.#bounds[section] ?? 0, this.#bounds[section + 1] ?? 0);
  }

  get size(): number {
    return this.#place.size;
  }

  get(name: string): T | undefined {
    const i = this.#place.get(name);
    return i === undefined ? undefined : this.#parts[Math.floor(i / this.#stride)]?.values[i % this.#stride];
  }

  has(name: string): boolean {
    return this.#place.has(name);
  }

  keys(): MapIterator<string> {
    return this.#place.keys();
  }

  values(): MapIterator<T> {
    return this.#all().values() as MapIterator<T>;
  }

  entries(): MapIterator<[string, T]> {
    const values = this.#all();
    return [...this.#place.keys()].map((name, i): [string, T] => [name, values[i] as T]).values();
  }

  #all(): readonly T[] {
    this.#flat ??= this.#parts.flatMap((part) => part.values);
    return this.#flat;
  }

  [Symbol.iterator](): MapIterator<[string, T]> {
    return this.entries();
  }

  forEach(callback: (value: T, name: string, map: ReadonlyMap<string, T>) => void): void {
    for (const [name, value] of this) callback(value, name, this);
  }
}
