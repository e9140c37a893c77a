/** Whom a soak looks at now, against a naive look at every host. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { EffectKind } from "../../src/rollout/effects.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import { soakChecks } from "../../src/rollout/soak.ts";
import { soakCheckMs } from "../../src/rollout/timing.ts";
import { aHost, anInventory, aPlan, FAST } from "../support/fleet.ts";
import { aContext, aRun, host, run, T0, wave } from "../support/run.ts";

const AT_ONCE = 64;
const names = Array.from({ length: 120 }, (_, i) => `h-${i}`);
const plan = aPlan(
  anInventory(
    names.map((n) => aHost(n)),
    {
      canary: { ...FAST.canary, count: { kind: "count", n: 0 } },
      waves: [{ kind: "percent", pct: 100 }],
      soak: { canaryMs: 0, waveMs: [100_000] },
    },
  ),
);
const every = soakCheckMs(plan.policy, 100_000);

const some = fc.record({
  /** In the order in which they were updated, a second apart. */
  updated: fc.shuffledSubarray(names),
  retries: fc.array(fc.tuple(fc.nat(119), fc.integer({ min: 0, max: 200 })), { maxLength: 20 }),
  looking: fc.array(fc.nat(119), { maxLength: 5 }),
  elsewhere: fc.integer({ min: 0, max: 70 }),
  kind: fc.constantFrom<EffectKind>("check", "check", "stage"),
  after: fc.integer({ min: 0, max: 250 }),
});

test("everybody who is due, as many as may be looked at at once, and again when the next one is due", () => {
  fc.assert(
    fc.property(some, ({ updated, retries, looking, elsewhere, kind, after }) => {
      const bodies: EventBody[] = [
        run("running"),
        wave("wave.start", 1),
        ...updated.map((name) => host(name, "updated")),
        ...retries.flatMap(([i, s]) => {
          const name = updated[i];
          if (name === undefined) return [];
          const failure = { code: "unreachable", message: "", transient: true };
          const deadline = new Date(T0 + s * 1000).toISOString();
          return [host(name, "updated", { from: "updated", failure, deadline })];
        }),
        wave("wave.soak", 1),
      ];
      const state = aRun(plan, ...bodies);
      const now = T0 + after * 1000;
      const inFlight = new Map<string, EffectKind>([
        ...looking.flatMap((i) => (updated[i] === undefined ? [] : [[updated[i], kind] as const])),
        ...Array.from({ length: elsewhere }, (_, i) => [`other-${i}`, kind] as const),
      ]);
      const { events, effects, wakeAt } = soakChecks(state, aContext({ now, inFlight }));

      const watched = [...state.hosts.values()]
        .filter((h) => h.state === "updated")
        .map((h) => ({ name: h.name, due: h.retryAt ?? (h.touchedAt > now ? now : h.touchedAt + every) }));
      const free = watched.filter((h) => !inFlight.has(h.name));
      const ready = free.filter((h) => h.due <= now).map((h) => h.name);
      const room = Math.max(0, AT_ONCE - (kind === "check" ? inFlight.size : 0));
      expect(events).toEqual([]);
      expect(effects).toEqual(effects.map((e) => ({ kind: "check", host: e.host, soaking: true })));
      expect(ready).toEqual(expect.arrayContaining(effects.map((e) => e.host)));
      expect(new Set(effects.map((e) => e.host)).size).toBe(Math.min(room, ready.length));
      if (ready.length >= room) return; // Whichever ends first asks again.
      const next = (hosts: typeof watched) => Math.min(...hosts.map((h) => h.due).filter((due) => due > now));
      if (free.length === watched.length) expect(wakeAt ?? Infinity).toBe(next(watched));
      else expect(wakeAt ?? Infinity).toBeLessThanOrEqual(next(free));
    }),
    { numRuns: 300 },
  );
});
