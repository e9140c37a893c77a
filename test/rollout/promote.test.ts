/** "Go on now" while a wave soaks or the run bakes: the time is cut short, the look at every host is not. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyCommand } from "../../src/rollout/commands.ts";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody } from "../../src/rollout/events.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { checkMs } from "../../src/rollout/timing.ts";
import type { PendingCommand } from "../../src/store/store.ts";
import {
  all,
  began,
  is,
  iso,
  MANUAL,
  MINUTE,
  PLAN,
  planWith,
  SOAKED,
  silent,
} from "../support/four-hosts.ts";
import { aContext, aRun, host, progress, run, T0, wave } from "../support/run.ts";

const check = (name: string, status: "ok" | "failed" | "retry" = "ok"): EventBody => ({
  type: "host.check",
  level: "info",
  msg: "",
  host: name,
  data: { results: [{ name: "units", type: "systemd", status, message: "" }], healthy: status === "ok" },
});
type More = Partial<Pick<PendingCommand, "full" | "toWave">>;

/** A run that goes on: bodies, and words answered by the core itself. */
class Story {
  readonly bodies: EventBody[];
  readonly plan: typeof PLAN;

  constructor(plan: typeof PLAN, ...bodies: EventBody[]) {
    this.plan = plan;
    this.bodies = bodies;
  }
  get state(): RolloutState {
    return aRun(this.plan, ...this.bodies);
  }
  add(...bodies: EventBody[]): this {
    this.bodies.push(...bodies);
    return this;
  }
  say(more: More = {}) {
    const reply = applyCommand(this.state, { command: "promote", by: "ann", ...more });
    if (reply.kind === "applied") this.add(...reply.events);
    return reply;
  }
  decide(now = SOAKED - 1) {
    return decide(this.state, aContext({ now }));
  }
  get says() {
    return this.decide().events.map((e) => e.type);
  }
  /** Whom it looks at a moment after the last event. */
  get looksAt() {
    return this.decide(T0 + this.bodies.length * 1000).effects.map((e) => `${e.kind} ${e.host}`);
  }
}

const canary = (plan = PLAN) => new Story(plan, ...began, ...is("a", "updated"), wave("wave.soak", 1));
const three = planWith({
  minHealthyTimeMs: 60_000,
  canary: { ...PLAN.policy.canary, count: { kind: "count", n: 3 } },
});
const wide = () =>
  new Story(three, ...began, ...["a", "b", "c"].flatMap((n) => is(n, "updated")), wave("wave.soak", 1));
const bake = () =>
  new Story(
    PLAN,
    ...began,
    ...is("a", "updated"),
    wave("wave.end", 1),
    wave("wave.start", 2),
    ...all("updated"),
    wave("wave.end", 2),
    run("baking", undefined, iso(SOAKED)),
  );

describe("a soak that is promoted", () => {
  test("says what it cuts short, in the answer and in the journal", () => {
    const story = canary();
    const reply = story.say();
    const until = iso(SOAKED);
    expect(reply).toMatchObject({
      kind: "applied",
      note: `promoted: the soak of wave 1 (canary) ends once its host was seen healthy again, not at ${until}`,
      events: [{ type: "rollout.command", data: { command: "promote", by: "ann", cutShort: until } }],
    });
    expect(wide().say().note).toContain("once each of 3 hosts was seen healthy again");
  });

  test("ends after one healthy look that came after the word, and not before", () => {
    const story = canary().add(check("a"));
    story.say();
    expect(story.says).toEqual([]);
    expect(story.looksAt).toEqual(["check a"]);
    expect(story.add(check("a")).decide().events).toMatchObject([
      {
        type: "wave.gate",
        msg: "gate after wave 1 (canary) is open",
        data: { verdict: "open", note: "its soak was cut short" },
      },
    ]);
    expect(story.add(wave("wave.gate", 1)).says).toEqual(["wave.end"]);
    expect(story.add(wave("wave.end", 1)).says).toEqual(["wave.start"]);
  });

  test("passes its gate, too", () => {
    const story = canary(MANUAL);
    story.say();
    expect(story.add(check("a")).decide().events).toMatchObject([{ data: { verdict: "open" } }]);
    expect(canary(MANUAL).add(check("a")).says).toEqual([]);
  });

  test("waits for the last of its hosts, looks at all of them at once, and again at the pace of a proof", () => {
    const story = wide();
    story.say();
    expect(story.looksAt).toEqual(["check a", "check b", "check c"]);
    story.add(check("c"), check("b", "retry"));
    expect(story.looksAt).toEqual(["check a"]);
    const lastOfB = T0 + story.bodies.length * 1000;
    story.add(check("a"));
    expect(story.looksAt).toEqual([]);
    expect(story.decide(lastOfB + 5000)).toMatchObject({
      effects: [],
      wakeAt: lastOfB + checkMs(three.policy),
    });
    expect(story.decide(lastOfB + checkMs(three.policy)).effects).toMatchObject([{ host: "b" }]);
    expect(story.says).toEqual([]);
    expect(story.add(check("b")).says).toEqual(["wave.gate"]);
  });

  test("never passes a failed check: the host goes back and the run stops, as ever", () => {
    const story = canary();
    story.say();
    const failure = { code: "health-failed", message: "ill", transient: false };
    story.add(check("a", "failed"), host("a", "reverting", { failure }));
    expect(story.says).not.toContain("wave.gate");
    story.add(host("a", "reverted", { failure }));
    expect(story.decide().events).toMatchObject([{ data: { to: "paused", reason: "failures" } }]);
  });

  test("waits for a host that does not answer, and no longer than without the word", () => {
    const story = canary();
    story.say();
    story.add(check("a"), silent("a"));
    expect(story.says).toEqual([]);
    expect(story.decide(SOAKED + 3 * MINUTE).events).toMatchObject([{ host: "a", data: { to: "failed" } }]);
    const never = canary();
    never.say();
    expect(never.decide(SOAKED).events).toMatchObject([{ type: "wave.gate" }]);
  });

  test("said twice changes nothing; paused in between it is said anew, and looks anew", () => {
    const story = canary();
    story.say();
    expect(story.say()).toEqual({ kind: "noop", note: "already promoted" });
    story.add(check("a"), run("paused", "operator"));
    expect(story.say()).toMatchObject({ kind: "applied", events: [{}, { data: { to: "running" } }] });
    expect(story.says).toEqual([]);
    expect(story.add(check("a")).says).toEqual(["wave.gate"]);
  });

  test("that wave, not one that is opened again for a retry", () => {
    const story = canary();
    story.say();
    story.add(wave("wave.start", 1), check("a"), wave("wave.soak", 1), check("a"));
    expect(story.says).toEqual([]);
  });

  test("not a wave that is still at work: there the word is refused, or for a paused run means its gate", () => {
    const working = new Story(PLAN, ...began);
    expect(working.say()).toMatchObject({ kind: "refused", note: expect.stringContaining("no gate") });
    working.add(run("paused", "operator"));
    expect(working.say()).toMatchObject({ kind: "applied", note: "promoted" });
    working.add(...is("a", "updated"), wave("wave.soak", 1), check("a"));
    expect(working.says).toEqual([]);
  });
});

describe("to a wave, and through all of them", () => {
  const far = planWith({ waves: [50, 100].map((pct) => ({ kind: "percent", pct })) });
  const soaking = (index: number) => [
    wave("wave.start", index),
    ...is("b", "updated"),
    wave("wave.soak", index),
  ];

  test("--full: each soak to come ends after one healthy look, and the bake stays", () => {
    const story = new Story(far, ...began);
    expect(story.say({ full: true }).note).toBe("promoted past every gate and soak");
    story.add(...is("a", "updated"));
    expect(story.decide().events).toMatchObject([
      { type: "wave.soak", msg: expect.stringContaining("until each host was seen healthy once more") },
    ]);
    expect(story.add(wave("wave.soak", 1)).says).toEqual([]);
    expect(story.add(check("a")).says).toEqual(["wave.gate"]);
    expect(story.add(wave("wave.end", 1), ...soaking(2)).looksAt).toEqual(["check b"]);
    expect(story.add(check("b")).says).toEqual(["wave.gate"]);
    const baked = bake();
    const full = new Story(PLAN, ...baked.bodies.slice(0, 2));
    full.say({ full: true });
    full.add(...baked.bodies.slice(2), ...["a", "b", "c", "d"].map((n) => check(n)));
    expect(full.says).toEqual([]);
  });

  test("--to-wave N: the soaks before N, not those after", () => {
    const story = new Story(far, ...began);
    expect(story.say({ toWave: 2 }).note).toBe("promoted to wave 2");
    story.add(...is("a", "updated"), wave("wave.soak", 1), check("a"));
    expect(story.says).toEqual(["wave.gate"]);
    story.add(wave("wave.end", 1), ...soaking(2), check("b"));
    expect(story.says).toEqual([]);
  });

  test("said while a wave soaks, this soak is one of them", () => {
    const story = canary(far);
    expect(story.say({ toWave: 3 }).note).toMatch(
      /^promoted to wave 3: the soak of wave 1 \(canary\) ends once/,
    );
    expect(story.add(check("a")).says).toEqual(["wave.gate"]);
    expect(canary(far).say({ full: true }).note).toMatch(/^promoted past every gate and soak: the soak of/);
    const twice = canary(far);
    twice.say();
    expect(twice.say({ full: true })).toMatchObject({
      kind: "applied",
      note: "promoted past every gate and soak",
    });
    expect(twice.say({ full: true }).kind).toBe("noop");
    expect(twice.say({ toWave: 2 }).kind).toBe("noop");
  });

  test("a wave that is not there, or has begun, is answered so", () => {
    const story = new Story(far, ...began);
    const waves = far.waves.length;
    expect(story.say({ toWave: waves + 1 })).toEqual({
      kind: "refused",
      note: `cannot promote: the rollout is running and has ${waves} waves`,
    });
    expect(story.say({ toWave: 1 })).toEqual({ kind: "noop", note: "wave 1 has begun already" });
    expect(story.add(run("paused", "operator")).say({ toWave: 1 })).toMatchObject({
      kind: "refused",
      note: expect.stringContaining("resume goes on with it"),
    });
    expect(story.say({ toWave: waves }).kind).toBe("applied");
  });
});

describe("a bake that is promoted", () => {
  test("ends once every updated host of the run was seen healthy again", () => {
    const story = bake();
    expect(story.say().note).toBe(
      `promoted: the bake ends once each of 4 hosts was seen healthy again, not at ${iso(SOAKED)}`,
    );
    expect(story.looksAt).toEqual(["check a", "check b", "check c", "check d"]);
    story.add(check("a"), check("b"), check("c"));
    expect(story.says).toEqual([]);
    expect(story.add(check("d")).decide().events).toMatchObject([{ data: { to: "succeeded" } }]);
  });

  test("also one that was paused: it bakes no longer than that when it goes on", () => {
    const story = bake().add(run("paused", "operator"));
    expect(story.say().note).toContain("the bake ends once");
    expect(story.decide().events).toMatchObject([{ data: { to: "baking" } }]);
    story.add(run("baking", undefined, iso(SOAKED)));
    expect(story.says).toEqual([]);
    expect(story.add(...["a", "b", "c", "d"].map((n) => check(n))).says).toEqual(["rollout.state"]);
  });
});

test("no gate opens before its time unless somebody said so and every host was well since, whatever happened", () => {
  const names = ["a", "b", "c"] as const;
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...names), fc.constantFrom("ok", "ok", "ok", "retry")) },
    { weight: 2, arbitrary: fc.constant("promote" as const) },
    { weight: 1, arbitrary: fc.constant("pause" as const) },
    { weight: 1, arbitrary: fc.constantFrom(...names) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const story = wide();
      /** Naively: since the word, and since whenever a host was not well. */
      let owed: Set<string> | null = null;
      const silentNow = new Set<string>();
      for (const s of steps) {
        const paused = story.state.status === "paused";
        if (s === "pause") {
          if (!paused) story.add(run("paused", "operator"));
        } else if (s === "promote") {
          const said = story.say().kind;
          expect(said).toBe(paused || owed === null ? "applied" : "noop");
          if (said === "applied") owed = new Set(names);
        } else if (typeof s === "string") {
          story.add(silent(s));
          silentNow.add(s);
        } else {
          const [name, status] = s;
          story.add(check(name, status as "ok"));
          silentNow.delete(name);
          if (status === "ok") owed?.delete(name);
          else owed?.add(name);
        }
      }
      const state = story.state;
      const open = state.status === "running" && owed?.size === 0 && silentNow.size === 0;
      // Everybody silent together is an outage: that comes first, and opens nothing.
      if (silentNow.size > 1) {
        expect(story.says).not.toContain("wave.gate");
        return;
      }
      expect(story.says.includes("wave.gate")).toBe(open);
      const looked = story.looksAt;
      for (const name of names)
        if (
          state.status === "running" &&
          owed?.has(name) &&
          progress(state, name).touchedSeq <= (state.cutShortSeq ?? 0)
        )
          expect(looked).toContain(`check ${name}`);
    }),
    { numRuns: 500 },
  );
});
