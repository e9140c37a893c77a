/** How often what makes a seed interesting really happened: without it a promise kept proves nothing. */
const NAMES = [
  "undone",
  "rolledBack",
  "caughtUp",
  "superseded",
  "refusedOverlaps",
  "reopened",
  "namedRetries",
  "promotions",
  "activations",
  "activationsInWindows",
  "waitsForWindows",
  "refusals",
  "notNow",
  "ownersWaitedFor",
  "ownersDeferred",
  "rivals",
  "interleaved",
  "crowds",
] as const;

export type Count = (typeof NAMES)[number];
export type Counts = Readonly<Record<Count, number>>;

const WORDS: Readonly<Record<Count, string>> = {
  undone: "undo runs",
  rolledBack: "rollbacks of single hosts",
  caughtUp: "catch-ups",
  superseded: "superseded",
  refusedOverlaps: "overlaps refused",
  reopened: "ended runs retried",
  namedRetries: "retries of named hosts",
  promotions: "promotions past gates",
  activations: "activations",
  activationsInWindows: "of them in windows",
  waitsForWindows: "waits for windows",
  refusals: "hosts refused by hold or lock",
  notNow: 'checks answered "not now"',
  ownersWaitedFor: "waits for an owner's consent",
  ownersDeferred: "left for later by their owner",
  rivals: "rival controllers",
  interleaved: "activations while another rollout had hosts in flight",
  crowds: "fleets of fourteen to seventy hosts",
};

export class Counter {
  readonly #counts = new Map<Count, number>();

  add(name: Count, n = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + n);
  }

  take(counts: Counts): void {
    for (const name of NAMES) this.add(name, counts[name]);
  }

  get counts(): Counts {
    return Object.fromEntries(NAMES.map((name) => [name, this.#counts.get(name) ?? 0])) as Record<
      Count,
      number
    >;
  }

  /** One line for people. */
  get text(): string {
    return NAMES.map((name) => `${this.#counts.get(name) ?? 0} ${WORDS[name]}`).join(", ");
  }
}
