/**
 * Hosts that ended runs left unsettled: silent since an activation, or unable to go back. They are unavailable, so
 * they count, until somebody sees them at rest and healthy. Nothing is changed on them.
 */
import pMap from "p-map";
import type { Host } from "../inventory/model.ts";
import type { HostRecord, Store } from "../store/store.ts";
import { isAtRest } from "./at-rest.ts";
import type { Place } from "./budgets.ts";
import type { Performer } from "./perform.ts";

const LOOK_MS = 10_000;
const AT_ONCE = 4;

/** Names one time that a host was left behind. */
const key = ({ host, unsettled }: HostRecord): string => `${host} ${unsettled?.run} ${unsettled?.since}`;

export class Leftovers {
  places: readonly Place[] = [];
  readonly #store: Store;
  readonly #performer: Performer;
  #records: readonly HostRecord[] = [];
  #lookAt = -Infinity;
  #looking = false;
  /** When this controller first heard of each of them, by its own clock. */
  readonly #met = new Map<string, number>();
  /** Those whose way back, if they still are on one, needs nobody's gateway: at rest, or silent. */
  readonly #quiet = new Set<string>();

  constructor(store: Store, performer: Performer) {
    this.#store = store;
    this.#performer = performer;
  }

  async refresh(): Promise<void> {
    this.#keep([...(await this.#store.hosts()).values()].filter((r) => r.unsettled !== undefined));
  }

  /**
   * Looks at them now and then, beside everything else, `lateMs` after it first heard of them: a word sent to a host
   * just before its run ended may arrive until then. `seen` is called when one of them counts no longer.
   */
  look(now: number, lateMs: number, signal: AbortSignal, seen: () => void): void {
    if (this.#looking || this.places.length === 0) return;
    for (const record of this.#records) if (!this.#met.has(key(record))) this.#met.set(key(record), now);
    const due = this.#records.filter((r) => Math.abs(now - (this.#met.get(key(r)) ?? now)) >= lateMs);
    if (due.length === 0 || Math.abs(now - this.#lookAt) < LOOK_MS) return;
    this.#lookAt = now;
    this.#looking = true;
    const before = this.places.length;
    void pMap(due, (record) => this.#settle(record, signal), { concurrency: AT_ONCE })
      .then(() => this.refresh())
      .then(() => this.places.length < before && seen())
      .catch(() => undefined) // Out of reach, or the store is: they count on.
      .finally(() => {
        this.#looking = false;
      });
  }

  async #settle(left: HostRecord, signal: AbortSignal): Promise<void> {
    const name = left.host;
    const host = this.#performer.hosts.get(name);
    const seen = host ? await this.#see(host, signal) : "silent";
    if (seen !== "at work") this.#quiet.add(key(left));
    if (seen !== "well") return;
    const record = (await this.#store.hosts()).get(name);
    if (record === undefined || key(record) !== key(left)) return; // Left behind once more.
    await this.#store.putHost({ host: name, unsettled: undefined });
  }

  async #see(host: Host, signal: AbortSignal): Promise<"well" | "ill" | "at work" | "silent"> {
    const { driver, checks } = this.#performer;
    try {
      const seen = await driver.observe(host, { signal, fresh: true });
      if (!isAtRest(seen)) return "at work";
      if (seen.state?.phase === "revert-failed") return "ill";
      const baselineFailed = seen.state?.baselineFailed ?? [];
      const results = await driver.check(host, { signal, checks: checks(host), baselineFailed });
      return results.every((r) => r.status === "ok") ? "well" : "ill";
    } catch {
      signal.throwIfAborted();
      return "silent";
    }
  }

  /** Only hosts that should serve: one that was taken out of the fleet is missed by nobody. */
  #keep(records: readonly HostRecord[]): void {
    const active = ({ host }: HostRecord) => this.#performer.hosts.get(host)?.state === "active";
    this.#records = records.filter(active);
    this.places = this.#records.flatMap((record) => {
      const { host, unsettled } = record;
      const h = this.#performer.hosts.get(host);
      // A gateway waits for whom it may still be seen at work through: given up, or silent, they need it no more.
      const via = this.#quiet.has(key(record)) ? null : (unsettled?.via ?? null);
      return h ? [{ name: host, role: h.role, site: h.site, cluster: h.k3s.cluster ?? null, via }] : [];
    });
  }
}
