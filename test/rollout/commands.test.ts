/** Every command in every state: applied, a no-op, or an error that names the state. Never silently ignored. */
import { describe, expect, test } from "vitest";
import { applyCommand } from "../../src/rollout/commands.ts";
import { type EventBody, type FleetEvent, RunState, TERMINAL_STATES } from "../../src/rollout/events.ts";
import { evolve, type RolloutState } from "../../src/rollout/state.ts";
import type { PendingCommand } from "../../src/store/store.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { aRun, host, progress, run, T0, wave } from "../support/run.ts";

const plan = aPlan(anInventory(["a", "b", "c", "d"].map((n) => aHost(n))));
const canary = plan.waves[0]?.hosts[0] ?? "";
const other = plan.waves[1]?.hosts[0] ?? "";
const FAILED = host(canary, "reverted", {
  failure: { code: "health-failed", message: "ill", transient: false },
});
const started = [run("running"), wave("wave.start", 1)];

type Name = PendingCommand["command"];
const say = (state: RolloutState, command: Name, more: Partial<PendingCommand> = {}) =>
  applyCommand(state, { command, by: "ann", ...more });

const follow = (state: RolloutState, bodies: readonly EventBody[]): RolloutState =>
  bodies.reduce(
    (s, body, i) =>
      evolve(s, {
        ...body,
        ts: new Date(0).toISOString(),
        seq: s.lastSeq + 1 + i,
        rollout: plan.id,
      } as FleetEvent),
    state,
  );
const applied = (state: RolloutState, command: Name, more: Partial<PendingCommand> = {}): RolloutState => {
  const reply = say(state, command, more);
  if (reply.kind !== "applied") throw new Error(`${command} was ${reply.kind}: ${reply.note}`);
  return follow(state, reply.events);
};

const STATES: Readonly<Record<string, RolloutState>> = {
  planned: aRun(plan),
  queued: aRun(plan, run("queued")),
  updating: aRun(plan, ...started),
  soaking: aRun(plan, ...started, host(canary, "updated"), wave("wave.soak", 1)),
  gate: aRun(plan, ...started, host(canary, "updated"), wave("wave.gate", 1)),
  baking: aRun(plan, ...started, run("baking", undefined, new Date(T0).toISOString())),
  "paused(operator)": aRun(plan, ...started, run("paused", "operator")),
  "paused(gate)": aRun(plan, ...started, wave("wave.gate", 1), run("paused", "gate")),
  "paused(failures)": aRun(plan, ...started, FAILED, run("paused", "failures")),
  "paused(quorum)": aRun(plan, ...started, run("paused", "quorum")),
  "paused(window)": aRun(plan, ...started, run("paused", "window")),
  "paused(deadline)": aRun(plan, ...started, run("paused", "deadline")),
  "paused(lease)": aRun(plan, ...started, run("paused", "lease")),
  "paused(uplink)": aRun(plan, ...started, run("paused", "uplink")),
  aborting: aRun(plan, ...started, run("aborting")),
  rolling_back: aRun(plan, ...started, run("rolling_back")),
  aborted: aRun(plan, ...started, FAILED, run("aborted")),
  succeeded: aRun(plan, ...started, run("succeeded")),
  succeeded_with_stragglers: aRun(plan, ...started, FAILED, run("succeeded_with_stragglers")),
  failed: aRun(plan, ...started, FAILED, run("failed")),
  rolled_back: aRun(plan, ...started, FAILED, run("rolled_back")),
  rollback_failed: aRun(plan, ...started, FAILED, run("rollback_failed")),
  superseded: aRun(plan, ...started, FAILED, run("superseded")),
};

/** y: applied, o: no-op, -: refused. Columns: pause, resume, promote, promote --full, abort, retry, undo. */
const MATRIX: Readonly<Record<string, string>> = {
  planned: "y - - - y - -",
  queued: "y - - - y - -",
  updating: "y - - y y - -",
  soaking: "y - y y y - -",
  gate: "y - y y y - -",
  baking: "y - y y y - -",
  "paused(operator)": "o y y y y - -",
  "paused(gate)": "o - y y y - -",
  "paused(failures)": "o - y y y y -",
  "paused(quorum)": "o y y y y - -",
  "paused(window)": "o y y y y - -",
  "paused(deadline)": "o y y y y - -",
  "paused(lease)": "o y y y y - -",
  "paused(uplink)": "o y y y y - -",
  aborting: "- - - - o - -",
  rolling_back: "- - - - o - -",
  aborted: "- - - - - - -",
  succeeded: "- - - - - - -",
  succeeded_with_stragglers: "- - - - - y -",
  failed: "- - - - - y -",
  rolled_back: "- - - - - - -",
  rollback_failed: "- - - - - - -",
  superseded: "- - - - - - -",
};
const COLUMNS: readonly (readonly [Name, Partial<PendingCommand>])[] = [
  ["pause", {}],
  ["resume", {}],
  ["promote", {}],
  ["promote", { full: true }],
  ["abort", {}],
  ["retry", {}],
  ["undo", {}],
];
const MEANS = { y: "applied", o: "noop", "-": "refused" } as const;

const cells = Object.entries(MATRIX).flatMap(([state, row]) =>
  row.split(" ").map((cell, i) => {
    const [command, more] = COLUMNS[i] ?? (["pause", {}] as const);
    return {
      state,
      command,
      more,
      kind: MEANS[cell as "y"],
      title: more.full ? `${command} --full` : command,
    };
  }),
);

describe("the command matrix", () => {
  test("covers every state of a run", () => {
    const covered = new Set(Object.values(STATES).map((s) => s.status));
    expect(RunState.options.filter((s) => !covered.has(s))).toEqual([]);
    expect(Object.keys(MATRIX)).toEqual(Object.keys(STATES));
  });

  test.each(cells)("$state: $title is $kind", ({ state, command, more, kind }) => {
    const before = STATES[state] as RolloutState;
    const reply = say(before, command, more);
    expect(reply.kind).toBe(kind);
    if (reply.kind !== "refused" || command === "undo" || before.status === "paused") return;
    expect(reply.note).toContain(before.status);
  });

  test.each(cells.filter((c) => c.kind === "applied"))(
    "$state: $title leaves a word in the journal, with who said it",
    ({ state, command, more }) => {
      const reply = say(STATES[state] as RolloutState, command, more);
      if (reply.kind !== "applied") return expect.fail(reply.note);
      expect(reply.events[0]).toMatchObject({ type: "rollout.command", data: { command, by: "ann" } });
    },
  );

  test("a state that is over never moves, except to try again what is left", () => {
    for (const [name, state] of Object.entries(STATES)) {
      if (!TERMINAL_STATES.has(state.status)) continue;
      for (const [command, more] of COLUMNS) {
        const reply = say(state, command, more);
        if (reply.kind === "applied") expect([name, command]).toContain("retry");
      }
    }
  });
});

describe("what the words do", () => {
  test("pause, resume", () => {
    const paused = applied(STATES.updating as RolloutState, "pause");
    expect(paused).toMatchObject({ status: "paused", reason: "operator" });
    expect(applied(paused, "resume")).toMatchObject({ status: "running", reason: null });
  });

  test("promote passes this gate and no other; --to-wave those before; --full all of them", () => {
    const gate = STATES["paused(gate)"] as RolloutState;
    expect(applied(gate, "promote")).toMatchObject({ status: "running", promotedTo: 1 });
    expect(applied(gate, "promote", { toWave: 2 })).toMatchObject({ promotedTo: 1 });
    expect(applied(gate, "promote", { full: true })).toMatchObject({ promotedTo: plan.waves.length });
  });

  test("promote past failures accepts these failures, not later ones", () => {
    const on = applied(STATES["paused(failures)"] as RolloutState, "promote");
    expect([...on.accepted]).toEqual([`${canary}/1`]);
    const paused = follow(on, [run("paused", "failures")]);
    expect(say(paused, "resume").kind).toBe("applied");
    const again = follow(paused, [host(canary, "pending", {}, 2), host(canary, "reverted", {}, 2)]);
    expect(say(again, "resume").kind).toBe("refused");
  });

  test("retry makes a new attempt of what failed, without the marks of the old one, and goes back to its wave", () => {
    const state = follow(STATES["paused(failures)"] as RolloutState, [
      { type: "host.log", level: "info", msg: "", host: canary, data: { lines: ["x"] } },
      wave("wave.start", 2),
    ]);
    const on = applied(state, "retry");
    expect(on).toMatchObject({ status: "running", wave: 1, wavePhase: "updating" });
    expect(progress(on, canary)).toMatchObject({
      state: "pending",
      attempt: 2,
      failure: null,
      evidence: null,
    });
    expect(progress(on, other).attempt).toBe(1);
  });

  test("retry of hosts that are named takes only those, and says when there are none", () => {
    const state = STATES["paused(failures)"] as RolloutState;
    expect(say(state, "retry", { hosts: [other] }).kind).toBe("refused");
    expect(say(state, "retry", { hosts: [canary] }).kind).toBe("applied");
  });

  test("a retry also takes hosts that were put off, and none that were left out of the plan", () => {
    const deferred = aRun(plan, ...started, host(canary, "deferred"));
    expect(applied(deferred, "retry").hosts.get(canary)).toMatchObject({ state: "pending", attempt: 2 });
    const held = { known: new Map([["a", { reachable: true, current: null, held: "held by ann" }]]) };
    const left = aPlan(anInventory(["a", "b"].map((n) => aHost(n))), held);
    expect(left.excluded).toHaveLength(1);
    expect(say(aRun(left, run("running"), wave("wave.start", 1)), "retry").kind).toBe("refused");
  });

  test("a retry opens the earliest wave it needs again, with all of its hosts, and no wave that is open", () => {
    const types = (state: RolloutState) => {
      const reply = say(state, "retry");
      return reply.kind === "applied" ? reply.events.map((e) => e.type) : [];
    };
    const failed = (name: string) => host(name, "failed");
    const here = aRun(plan, ...started, FAILED);
    expect(types(here)).toEqual(["rollout.command", "host.state"]);
    const paused = aRun(plan, ...started, FAILED, run("paused", "failures"));
    expect(types(paused)).toEqual(["rollout.command", "host.state", "rollout.state"]);
    const soaking = aRun(plan, ...started, FAILED, wave("wave.soak", 1));
    expect(types(soaking)).toEqual(["rollout.command", "host.state", "wave.start"]);
    const later = aRun(plan, ...started, wave("wave.start", 2), failed(other), failed(canary));
    const reply = say(later, "retry");
    if (reply.kind !== "applied") return expect.fail(reply.note);
    expect(reply.note).toBe("2 host(s) tried again");
    expect(reply.events.at(-1)).toMatchObject({
      type: "wave.start",
      wave: 1,
      msg: expect.stringContaining("wave 1 (canary) again"),
      data: { hosts: plan.waves[0]?.hosts },
    });
  });

  test("nothing can be retried before it began, nor while it ends", () => {
    const failed = [host(canary, "failed")];
    for (const status of ["queued", "aborting", "rolling_back", "aborted", "rolled_back"] as const) {
      expect(say(aRun(plan, ...failed, run(status)), "retry").note).toContain(`the rollout is ${status}`);
    }
    expect(say(aRun(plan, ...failed), "retry").kind).toBe("refused");
  });

  test("a promotion to a wave is a promotion of a run that waits at no gate, too", () => {
    const reply = say(STATES.updating as RolloutState, "promote", { toWave: 2 });
    expect(reply).toMatchObject({ kind: "applied", note: "promoted to wave 2" });
    expect(reply.kind === "applied" && reply.events).toHaveLength(1);
    expect(say(STATES.gate as RolloutState, "promote", { full: true }).note).toBe(
      "promoted past every gate and soak",
    );
  });

  test("a run stopped by failures goes on when none of them stands any more", () => {
    const still = STATES["paused(failures)"] as RolloutState;
    expect(say(still, "resume").note).toContain("the failed hosts still stand");
    const gone = follow(still, [host(canary, "pending", {}, 2)]);
    expect(say(gone, "resume").kind).toBe("applied");
    const operator = aRun(plan, ...started, FAILED, run("paused", "operator"));
    expect(say(operator, "resume").kind).toBe("applied");
  });

  test("the journal keeps the words as they were said, and nothing that was not", () => {
    const word = (state: string, command: Name, more: Partial<PendingCommand> = {}) => {
      const reply = say(STATES[state] as RolloutState, command, more);
      return reply.kind === "applied" ? reply.events[0]?.data : reply.note;
    };
    expect(word("updating", "pause")).toEqual({ command: "pause", by: "ann" });
    expect(word("gate", "promote", { toWave: 2, full: false })).toEqual({
      command: "promote",
      by: "ann",
      toWave: 2,
      full: false,
    });
    expect(word("paused(failures)", "retry", { hosts: [canary] })).toEqual({
      command: "retry",
      by: "ann",
      hosts: [canary],
    });
    expect(say(STATES.updating as RolloutState, "pause").note).toBe("paused");
    expect(say(STATES["paused(operator)"] as RolloutState, "resume").note).toBe("resumed");
    expect(say(STATES.updating as RolloutState, "abort").note).toBe("aborting");
  });
});
