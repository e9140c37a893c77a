import fc from "fast-check";
import { expect, test } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Lease, Store } from "../../src/store/store.ts";
import { becomes, log, newRun, T0 } from "./store-bodies.ts";
import type { Subject } from "./store-subject.ts";

/** What one side of the comparison remembers between operations. */
interface Side {
  store: Store;
  readonly leases: Lease[];
}

type Operation = (side: Side) => Promise<unknown>;

const run = fc.constantFrom("r-1", "i-2");
const key = fc.constantFrom("run:r-1", "run:i-2", "host:n");
const owner = fc.constantFrom("a", "b");
const host = fc.constantFrom("n1", "n2");
const time = fc.integer({ min: 0, max: 100 }).map((t) => T0 + t);
const body = fc.oneof(
  fc.string({ unit: "binary" }).map((text) => log(text)),
  fc.constantFrom("running" as const, "paused" as const, "aborted" as const).map(becomes),
);

const change = fc.record({ host, revision: fc.string(), seenAt: fc.nat() }, { requiredKeys: ["host"] });

/** Operations written once and applied to both sides; which lease is meant is an index into those granted so far. */
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(run, time).map(
    ([id, createdAt]) =>
      ({ store }: Side) =>
        store.create(newRun(id, { createdAt })),
  ),
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        run,
        fc.integer({ min: -1, max: 1 }),
        fc.array(body, { maxLength: 3 }),
        time,
        fc.option(fc.nat(3)),
        fc.array(change, { maxLength: 3 }),
      )
      .map(([id, off, bodies, now, fence, hosts]) => async ({ store }: Side) => {
        const at = Math.max(0, ((await store.run(id))?.lastSeq ?? 0) + (Math.abs(now) % 4 === 0 ? off : 0));
        return store.append(id, at, bodies, { now, hosts, ...(fence === null ? {} : { fence }) });
      }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(key, owner, fc.nat(50), time).map(([k, by, ttl, now]) => async (side: Side) => {
      const lease = await side.store.lease(k, by, ttl, now);
      if (lease !== null) side.leases.push(lease);
      return lease;
    }),
  },
  fc.tuple(fc.nat(5), fc.nat(50), time).map(([which, ttl, now]) => async ({ store, leases }: Side) => {
    const lease = leases.at(-1 - which);
    return lease && store.renew(lease, ttl, now);
  }),
  fc.nat(5).map((which) => async ({ store, leases }: Side) => {
    const lease = leases.at(-1 - which);
    return lease && store.release(lease);
  }),
  fc.tuple(key, time).map(
    ([k, now]) =>
      ({ store }: Side) =>
        store.holder(k, now),
  ),
  fc.tuple(run, owner).map(
    ([id, by]) =>
      ({ store }: Side) =>
        store.submit(id, { command: "pause", by }),
  ),
  fc.tuple(run, fc.nat(2)).map(([id, which]) => async ({ store }: Side) => {
    const command = (await store.pending(id))[which];
    return command && store.acknowledge(id, [command.id]);
  }),
  change.map(
    (record) =>
      ({ store }: Side) =>
        store.putHost(record),
  ),
  fc
    .record(
      { kind: fc.constant("rollout" as const), active: fc.boolean(), limit: fc.nat(3) },
      { requiredKeys: [] },
    )
    .map(
      (query) =>
        ({ store }: Side) =>
          store.runs(query),
    ),
);

async function outcome(operate: Operation, side: Side): Promise<unknown> {
  try {
    return { value: await operate(side) };
  } catch (error) {
    if (error instanceof FleetError) return { code: error.code, message: error.message };
    throw error;
  }
}

async function everything(store: Store): Promise<unknown> {
  const runs = await store.runs();
  return {
    runs,
    hosts: new Map([...(await store.hosts())].sort(([a], [b]) => a.localeCompare(b))),
    events: await Promise.all(runs.map((r) => store.events(r.id))),
    pending: await Promise.all(
      runs.map(async (r) => (await store.pending(r.id)).map(({ id: _, ...command }) => command)),
    ),
  };
}

/** Any sequence of operations, with the store closed and opened again in between, gives what the memory store gives. */
export function storeModelContract(make: () => Promise<Subject>): void {
  test("behaves like the model under any sequence of operations", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            { weight: 15, arbitrary: operation },
            { weight: 1, arbitrary: fc.constant("reopen" as const) },
          ),
          {
            maxLength: 40,
          },
        ),
        async (steps) => {
          const subject = await make();
          try {
            const real: Side = { store: subject.store, leases: [] };
            const model: Side = { store: new MemoryStore(), leases: [] };
            for (const step of steps) {
              if (step === "reopen") real.store = await subject.again();
              else expect(await outcome(step, real)).toEqual(await outcome(step, model));
            }
            expect(await everything(real.store)).toEqual(await everything(model.store));
          } finally {
            await subject.dispose();
          }
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
}
