import type { EventBody, FleetEvent } from "../rollout/events.ts";
import { TERMINAL_STATES } from "../rollout/events.ts";
import {
  CommandSchema,
  isRepeat,
  leaseLost,
  mergeHost,
  overtaken,
  type Placed,
  place,
  RunRecordSchema,
  runExists,
  runLease,
  stateAfter,
  unknownRun,
  writtenJournal,
} from "./records.ts";
import type { HostChange, HostRecord, Lease, PendingCommand, RunId, RunRecord, Store } from "./store.ts";

interface Journal {
  record: RunRecord;
  readonly placed: Placed[];
}

const textsOf = (placed: readonly Placed[]): readonly string[] => placed.map((p) => p.text);

/** Lives and dies with the process: tests and one-off commands. Also the model the durable stores are compared with. */
export class MemoryStore implements Store {
  readonly #runs = new Map<RunId, Journal>();
  readonly #leases = new Map<string, Lease & { readonly held: boolean }>();
  readonly #hosts = new Map<string, HostRecord>();
  #commands: { readonly run: RunId; readonly command: PendingCommand }[] = [];
  #nextCommand = 1;

  async create(run: Omit<RunRecord, "lastSeq" | "updatedAt">): Promise<void> {
    if (this.#runs.has(run.id)) throw runExists(run.id);
    const record = RunRecordSchema.parse({ ...run, lastSeq: 0, updatedAt: run.createdAt });
    this.#runs.set(run.id, { record, placed: [] });
  }

  async append(
    run: RunId,
    expectedSeq: number,
    bodies: readonly EventBody[],
    o: Parameters<Store["append"]>[3],
  ): Promise<readonly FleetEvent[]> {
    const journal = this.#journal(run);
    const lease = this.#leases.get(runLease(run));
    if (o.fence !== undefined && !(lease?.held && lease.fence === o.fence)) {
      throw leaseLost(runLease(run), o.fence);
    }
    const placed = place(run, expectedSeq, bodies, o.now);
    if (journal.record.lastSeq !== expectedSeq) {
      if (o.fence !== undefined && isRepeat(placed, textsOf(journal.placed.slice(expectedSeq)))) {
        return placed.map((p) => p.event);
      }
      throw overtaken(run, expectedSeq, journal.record.lastSeq);
    }
    journal.placed.push(...placed);
    journal.record = {
      ...journal.record,
      state: o.state ?? stateAfter(bodies) ?? journal.record.state,
      lastSeq: expectedSeq + placed.length,
      updatedAt: o.now,
    };
    await this.acknowledge(run, o.acknowledge ?? []);
    for (const change of o.hosts ?? []) await this.putHost(change);
    return placed.map((p) => p.event);
  }

  async adopt(run: RunRecord, events: readonly FleetEvent[]): Promise<void> {
    if (this.#runs.has(run.id)) throw runExists(run.id);
    this.#runs.set(run.id, {
      record: RunRecordSchema.parse(run),
      placed: [...writtenJournal(run, events)],
    });
  }

  async events(run: RunId, sinceSeq = 0): Promise<readonly FleetEvent[]> {
    return (this.#runs.get(run)?.placed ?? []).slice(sinceSeq).map((p) => p.event);
  }

  async runs(query: Parameters<Store["runs"]>[0] = {}): Promise<readonly RunRecord[]> {
    return [...this.#runs.values()]
      .map((journal) => journal.record)
      .reverse()
      .sort((a, b) => b.createdAt - a.createdAt)
      .filter((r) => query.kind === undefined || r.kind === query.kind)
      .filter((r) => query.active === undefined || query.active !== TERMINAL_STATES.has(r.state))
      .slice(0, query.limit);
  }

  async run(id: RunId): Promise<RunRecord | null> {
    return this.#runs.get(id)?.record ?? null;
  }

  async lease(key: string, owner: string, ttlMs: number, now: number, above = 0): Promise<Lease | null> {
    const last = this.#leases.get(key);
    if (last?.held && last.expiresAt > now) return null;
    const lease = {
      key,
      owner,
      fence: Math.max(above, ...[...this.#leases.values()].map((l) => l.fence)) + 1,
      expiresAt: now + ttlMs,
    };
    this.#leases.set(key, { ...lease, held: true });
    return lease;
  }

  async renew(lease: Lease, ttlMs: number, now: number): Promise<Lease> {
    if (!this.#owns(lease)) throw leaseLost(lease.key, lease.fence);
    const renewed = { ...lease, expiresAt: now + ttlMs };
    this.#leases.set(lease.key, { ...renewed, held: true });
    return renewed;
  }

  async release(lease: Lease): Promise<void> {
    if (this.#owns(lease)) this.#leases.set(lease.key, { ...lease, held: false });
  }

  async holder(key: string, now: number): Promise<Lease | null> {
    const last = this.#leases.get(key);
    if (!last?.held || last.expiresAt <= now) return null;
    const { held: _, ...lease } = last;
    return lease;
  }

  async submit(run: RunId, command: Omit<PendingCommand, "id">): Promise<void> {
    this.#journal(run);
    const id = this.#nextCommand++;
    this.#commands.push({ run, command: { id, ...CommandSchema.parse(command) } });
  }

  async pending(run: RunId): Promise<readonly PendingCommand[]> {
    return this.#commands.filter((entry) => entry.run === run).map((entry) => entry.command);
  }

  async acknowledge(run: RunId, ids: readonly number[]): Promise<void> {
    this.#commands = this.#commands.filter((entry) => entry.run !== run || !ids.includes(entry.command.id));
  }

  async hosts(): Promise<ReadonlyMap<string, HostRecord>> {
    return new Map(this.#hosts);
  }

  async putHost(change: HostChange): Promise<void> {
    this.#hosts.set(change.host, mergeHost(this.#hosts.get(change.host), change));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #journal(run: RunId): Journal {
    const journal = this.#runs.get(run);
    if (journal === undefined) throw unknownRun(run);
    return journal;
  }

  #owns(lease: Lease): boolean {
    const last = this.#leases.get(lease.key);
    return last?.held === true && last.fence === lease.fence && last.owner === lease.owner;
  }
}
