import fc from "fast-check";
import { expect, test } from "vitest";
import { tally } from "../../src/rollout/classes.ts";
import { type EventBody, type FleetEvent, HostState } from "../../src/rollout/events.ts";
import {
  Closed,
  countIn,
  type Group,
  hasAny,
  heardSince,
  hostsIn,
  MEMBERS,
  outside,
  tallyOf,
} from "../../src/rollout/groups.ts";
import { evolve, type RolloutState } from "../../src/rollout/state.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { aRun, host, T0 } from "../support/run.ts";

const SITES = ["gent", "lille", null] as const;

/** Enough hosts for several parts, with and without a site, and some that are left alone. */
const plan = (() => {
  const hosts = Array.from({ length: 80 }, (_, i) =>
    aHost(`h-${i}`, i < 4 ? "gateway" : "peer", {
      site: SITES[i % 3] ?? null,
      state: i % 20 === 19 ? "retired" : "active",
    }),
  );
  return aPlan(anInventory(hosts));
})();
const NAMES = [...plan.hosts.map((h) => h.name), ...plan.excluded.map((e) => e.host)];

const failure = fc.constantFrom(
  undefined,
  { code: "connection-lost", message: "", transient: true },
  { code: "unreachable", message: "", transient: false },
  { code: "health-failed", message: "", transient: false },
);

const event: fc.Arbitrary<EventBody> = fc.oneof(
  fc
    .record({
      name: fc.constantFrom(...NAMES),
      to: fc.constantFrom(...HostState.options),
      failure,
      touched: fc.boolean(),
    })
    .map((e) =>
      host(e.name, e.to, {
        ...(e.failure ? { failure: e.failure } : {}),
        ...(e.touched ? { fence: 7, previous: "/nix/store/old" } : {}),
      }),
    ),
  fc
    .constantFrom(...NAMES)
    .map(
      (name): EventBody => ({ type: "host.log", level: "info", msg: "", host: name, data: { lines: ["x"] } }),
    ),
  fc.constantFrom(...NAMES).map(
    (name): EventBody => ({
      type: "host.check",
      level: "info",
      msg: "",
      host: name,
      data: { results: [], healthy: true },
    }),
  ),
);

const WAVES = [undefined, ...plan.waves.map((w) => w.index)];
const GROUPS = Object.keys(MEMBERS) as Group[];
const all = (state: RolloutState, wave?: number) =>
  [...state.hosts.values()].filter((h) => wave === undefined || h.wave === wave);

/** One state after another, each made from the one before it, as in a run. */
function* history(bodies: readonly EventBody[]): Generator<RolloutState> {
  let state = aRun(plan);
  yield state;
  for (const [i, body] of bodies.entries()) {
    const ts = new Date(T0 + (i + 1) * 1000).toISOString();
    state = evolve(state, { ...body, ts, seq: i + 2, rollout: plan.id } as FleetEvent);
    yield state;
  }
}

test("what the parts remember is what a look at every host finds, after every event", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      for (const state of history(events)) {
        for (const wave of WAVES) {
          const hosts = all(state, wave);
          for (const group of GROUPS) {
            const members = hosts.filter(MEMBERS[group]).map((h) => h.name);
            expect(hostsIn(state, group, wave).map((h) => h.name)).toEqual(members);
            expect(hasAny(state, group, wave)).toBe(members.length > 0);
            expect(countIn(state, group, wave)).toBe(members.length);
          }
          expect(tallyOf(state, wave)).toEqual(tally(hosts));
        }
      }
    }),
    { numRuns: 25 },
  );
});

test("only those are left out whose site or role is closed, also when that turns out on the way", () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 40 }),
      fc.constantFrom(...GROUPS),
      fc.nat(80),
      (events, group, turn) => {
        const state = replayed(events);
        const closed = new Closed();
        const seen: string[] = [];
        for (const host of outside(closed, state, group)) {
          seen.push(host.name);
          if (seen.length === turn) closed.sites.add(host.site);
          if (seen.length === turn + 3) closed.roles.add(host.role);
        }
        const model = new Closed();
        const expected: string[] = [];
        for (const host of all(state).filter(MEMBERS[group])) {
          if (model.has(host)) continue;
          expected.push(host.name);
          if (expected.length === turn) model.sites.add(host.site);
          if (expected.length === turn + 3) model.roles.add(host.role);
        }
        expect(seen).toEqual(expected);
      },
    ),
  );
});

test("somebody was heard since exactly when a look at every host says so", () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 40 }),
      fc.nat(45),
      fc.constantFrom("gent", "lille", undefined),
      (events, seconds, site) => {
        const state = replayed(events);
        const at = T0 + seconds * 1000;
        const heard = all(state).some(
          (h) => (h.contactAt ?? 0) > at && (site === undefined || h.site === site),
        );
        expect(heardSince(state, at, site)).toBe(heard);
      },
    ),
  );
});

const replayed = (events: readonly EventBody[]): RolloutState => [...history(events)].at(-1) ?? aRun(plan);
