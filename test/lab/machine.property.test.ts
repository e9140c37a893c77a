/** Whatever is asked of a host, in whatever order, with power cuts in between: what contract §5 promises holds. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { tick } from "../../src/lab/machine/clock.ts";
import { type Machine, profilePath } from "../../src/lab/machine/model.ts";
import { cutPower, powerOn } from "../../src/lab/machine/power.ts";
import { closureIn } from "../../src/lab/machine/store.ts";
import { BEHAVIOURS, type Behaviour } from "../../src/lab/machine/system.ts";
import { closureOf } from "../../src/lab/store/closure.ts";
import { call, newHost, pathOf, receive, settle, system, T0 } from "./support/machines.ts";

type Action =
  | { readonly kind: "activate"; readonly behaviour: Behaviour; readonly mode: "test" | "boot" }
  | { readonly kind: "commit" | "revert" | "check" | "release" | "gc" | "reboot" | "power-cut" }
  | { readonly kind: "wait"; readonly ms: number };

const op = (kind: "commit" | "revert" | "check" | "release" | "gc" | "reboot" | "power-cut") =>
  fc.constant<Action>({ kind });

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("activate" as const),
      behaviour: fc.oneof(fc.constant("good" as const), fc.constantFrom(...BEHAVIOURS)),
      mode: fc.constantFrom("test" as const, "test" as const, "boot" as const),
    }),
  },
  // Moments at which activations, boots and confirmations have just ended, or have not.
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.oneof(fc.constantFrom(100, 350, 2000, 5500), fc.integer({ min: 1, max: 8000 })),
    }),
  },
  { weight: 5, arbitrary: op("commit") },
  { weight: 2, arbitrary: op("revert") },
  { weight: 2, arbitrary: op("check") },
  { weight: 3, arbitrary: op("release") },
  { weight: 3, arbitrary: op("gc") },
  { weight: 1, arbitrary: op("reboot") },
  { weight: 2, arbitrary: op("power-cut") },
);

interface World {
  readonly machine: Machine;
  readonly now: number;
  readonly runs: number;
}

function act(w: World, a: Action): World {
  const { machine: m, now, runs } = w;
  if (a.kind === "wait") return { ...w, machine: tick(m, now + a.ms), now: now + a.ms };
  if (a.kind === "power-cut") return { ...w, machine: powerOn(cutPower(m), now) };
  if (!m.memory) return w;
  if (a.kind === "activate") {
    const run = runs + 1;
    const staged = receive(m, system(`r${run + 1}`, a.behaviour));
    const from = m.memory.current;
    const parameters = {
      RUN: `run-${run}`,
      ATTEMPT: 1,
      FENCE: run,
      FROM: from,
      CONFIRM_TIMEOUT: 5,
      MAY_REBOOT: 1,
    };
    const to = pathOf(`r${run + 1}`, a.behaviour);
    return {
      ...w,
      machine: call(staged, "activate", { ...parameters, MODE: a.mode, TO: to }, now).machine,
      runs: run,
    };
  }
  const s = m.disk.state;
  const mine = s
    ? { RUN: s.rollout, ATTEMPT: s.attempt, FENCE: s.fence, FROM: s.from, TO: s.to, CONFIRM_TIMEOUT: 5 }
    : { RUN: "run-0", ATTEMPT: 1, FENCE: 0, FROM: pathOf("r1"), TO: pathOf("r1") };
  return { ...w, machine: call(m, a.kind, { ...mine, KEEP: 1 }, now).machine };
}

const start: World = { machine: newHost(), now: T0, runs: 0 };
const actions = fc.array(action, { maxLength: 40 });

it("the sequences tried are interesting ones", () => {
  const phases = fc
    .sample(actions, { numRuns: 200, seed: 1 })
    .flatMap((list) => list.reduce(act, start).machine.disk.state ?? [])
    .map((s) => `${s.mode} ${s.phase}`);
  for (const phase of [
    "test committed",
    "boot committed",
    "test reverted",
    "boot reverted",
    "test activated",
  ]) {
    expect(phases).toContain(phase);
  }
});

it("the boot default changes only by a commit, or by going back from one", () => {
  fc.assert(
    fc.property(actions, (list) => {
      let world = start;
      for (const a of list) {
        const before = world.machine;
        world = act(world, a);
        const after = world.machine;
        if (after.disk.bootDefault === before.disk.bootDefault) continue;
        const state = after.disk.state;
        const committed = a.kind === "commit" && state?.phase === "committed";
        const undone = state?.phase === "reverted" || state?.phase === "reverting";
        expect(committed || undone).toBe(true);
        expect(after.disk.bootDefault).toBe(committed ? state?.to : state?.from);
      }
    }),
  );
});

it("profile and boot default never part, and nothing is collected that a host may go to", () => {
  fc.assert(
    fc.property(actions, (list) => {
      for (let i = 0, world = start; i < list.length; i++) {
        const a = list[i];
        if (a) world = act(world, a);
        const { disk, memory } = world.machine;
        expect(profilePath(disk)).toBe(disk.bootDefault);
        const back = disk.state?.from ?? disk.bootDefault;
        for (const path of [disk.bootDefault, memory?.current ?? disk.bootDefault, back]) {
          const description = disk.store[path]?.system;
          expect(description).toBeDefined();
          const whole = description ? closureOf(description).length : 0;
          expect(closureIn(disk, [path]).size).toBe(whole);
        }
      }
    }),
  );
});

it("left alone, a host ends committed or where it came from, with nothing armed", () => {
  fc.assert(
    fc.property(actions, (list) => {
      const end = settle(list.reduce(act, start).machine);
      const { memory, disk } = end;
      if (!memory) {
        expect.unreachable(`the host is ${end.power.kind}`);
        return;
      }
      expect(memory.timers).toEqual([]);
      expect(memory.jobs).toEqual([]);
      expect(memory.current).toBe(disk.bootDefault);
    }),
  );
});

it("a power cut before the commit brings the recorded system back", () => {
  fc.assert(
    fc.property(actions, fc.integer({ min: 0, max: 6000 }), (list, ms) => {
      const w = list.reduce(act, start);
      const before = tick(w.machine, w.now + ms);
      const state = before.disk.state;
      fc.pre(state !== null && state.phase !== "committed" && before.disk.bootDefault === state.from);
      fc.pre(before.disk.bootOnce === "");
      const after = settle(powerOn(cutPower(before), w.now + ms));
      expect(after.memory?.current).toBe(state?.from);
    }),
  );
});

it("does not matter how often somebody looks at the clock", () => {
  fc.assert(
    fc.property(
      actions,
      fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }),
      (list, moments) => {
        const w = list.reduce(act, start);
        const looks = moments.toSorted((a, b) => a - b);
        const often = looks.reduce((m, ms) => tick(m, w.now + ms), w.machine);
        expect(often).toEqual(tick(w.machine, w.now + (looks.at(-1) ?? 0)));
      },
    ),
  );
});
