/** The recovery table at its edges: what tells one row from the next. `recovery.test.ts` has the rows themselves. */
import { describe, expect, test } from "vitest";
import type { HostStateFile, Observation } from "../../src/host/protocol.ts";
import type { EventBody, HostState } from "../../src/rollout/events.ts";
import { reconcile } from "../../src/rollout/reconcile.ts";
import type { RolloutState } from "../../src/rollout/state.ts";
import { lateWordMs } from "../../src/rollout/timing.ts";
import { system } from "../support/fleet.ts";
import { at, FROM, file, MINUTE, PLAN, TO } from "../support/one-host.ts";
import { anObservation, host, progress } from "../support/run.ts";

const OTHER = system("a", "r9");
const LATE = 60 * MINUTE;
const since = (state: RolloutState) => progress(state, "a").since;
const found = (state: RolloutState, seen: Observation, after = LATE) =>
  reconcile({ state, host: progress(state, "a"), to: TO, fence: 7, now: since(state) + after }, seen);
const became = (...args: Parameters<typeof found>) => {
  const event = found(...args);
  return event?.type === "host.state" ? event.data.to : null;
};
const failure = (code: string): EventBody =>
  host("a", "reverting", { failure: { code, message: "why", transient: false } });
/** Made to go back, for a reason of its own. */
const goingBack = (code = "health-failed") => at("confirming", PLAN, failure(code));

const seen = (
  phase: HostStateFile["phase"],
  more: Partial<Observation> = {},
  record: Partial<HostStateFile> = {},
) => anObservation(TO, { profile: FROM, state: file(phase, record), ...more });

describe("fences", () => {
  test("only a higher one is another controller's", () => {
    expect(became(at("activating"), seen("activated", { revertArmed: true }, { fence: 7 }))).toBe(
      "confirming",
    );
    expect(found(at("activating"), seen("activated", {}, { fence: 8 }))).toMatchObject({
      msg: expect.stringContaining("fence 8"),
      data: { to: "unknown", failure: { code: "host-fenced", transient: false } },
    });
  });

  test("that is said even of a host that is unknown already", () => {
    expect(became(at("unknown"), seen("activated", {}, { fence: 8 }))).toBe("unknown");
  });
});

describe("no trace of the attempt", () => {
  const none = anObservation(FROM);

  test("an unexpected system is a failure of nobody's doing here", () => {
    expect(found(at("confirming"), anObservation(OTHER))).toMatchObject({
      data: { to: "drifted", failure: { code: "host-protocol", transient: false } },
    });
  });

  test("it was to go back: it is where it was to go", () => {
    expect(became(goingBack(), none)).toBe("reverted");
  });

  test("only an activation may still be on its way, for a while, by a clock that does not go back", () => {
    const late = lateWordMs(PLAN.policy);
    expect(became(at("confirming"), none, 1)).toBe("staged");
    expect(became(at("activating"), none, 0)).toBeNull();
    expect(became(at("activating"), none, late - 1)).toBeNull();
    expect(became(at("activating"), none, late)).toBe("staged");
    expect(became(at("activating"), none, -1)).toBe("staged");
  });
});

describe("committed", () => {
  test.each([
    [TO, TO, "updated"],
    [TO, FROM, "updated"],
    [FROM, TO, "updated"],
    [FROM, FROM, "drifted"],
  ])("runs %s, would start %s: %s", (current, profile, to) => {
    expect(became(at("confirming"), seen("committed", { current, profile }))).toBe(to);
  });

  test("changed since: by nobody of this rollout", () => {
    expect(found(at("confirming"), seen("committed", { current: OTHER }))).toMatchObject({
      data: { failure: { code: "host-protocol" } },
    });
  });

  test("told to go back, it has not begun yet", () => {
    expect(found(goingBack(), seen("committed"))).toBeNull();
  });
});

describe("it goes, or went, back", () => {
  test.each([
    ["timeout", "connection-lost", "nobody confirmed in time"],
    ["activation", "activation-failed", "the activation failed"],
    ["health", "health-failed", "it was not healthy"],
    ["operator", "activation-failed", "an operator asked for it"],
    ["boot", "activation-failed", "the new system was not confirmed before a restart"],
    ["lightning", "activation-failed", "lightning"],
    [null, "activation-failed", "no reason recorded"],
  ])("by its own record (%s): %s", (reason, code, message) => {
    expect(found(at("confirming"), seen("reverted", {}, { reason }))).toMatchObject({
      msg: `reverted itself: ${message}`,
      data: { to: "reverted", failure: { code, message, transient: false } },
    });
    expect(found(at("confirming"), seen("reverting", {}, { reason }))).toMatchObject({
      msg: `is reverting: ${message}`,
      data: { to: "reverting", failure: { code, message } },
    });
  });

  test("the reason why it was told to outlives what the host wrote", () => {
    expect(found(goingBack("health-failed"), seen("reverted", {}, { reason: "operator" }))).toMatchObject({
      data: { to: "reverted", failure: { code: "health-failed", message: "why" } },
    });
    // Still at it, as it should be: nothing new.
    expect(found(goingBack(), seen("reverting"))).toBeNull();
  });

  test("but not what was wrong before it went back", () => {
    const lost = at(
      "confirming",
      PLAN,
      host("a", "unknown", { failure: { code: "connection-lost", message: "", transient: false } }),
    );
    expect(found(lost, seen("reverted", {}, { reason: "health" }))).toMatchObject({
      data: { failure: { code: "health-failed" } },
    });
  });

  test("the way back failed", () => {
    expect(found(goingBack(), seen("revert-failed"))).toMatchObject({
      data: { to: "failed", failure: { code: "activation-failed", transient: false } },
    });
  });
});

describe("under way", () => {
  type Row = [string, Partial<Observation>, Partial<HostStateFile>, HostState | null];
  const idle = { activateActive: false, revertArmed: false };
  const BOOT = { mode: "boot" } as const;

  test.each<Row>([
    ["old system, at rest: it is back", { current: FROM, ...idle }, {}, "reverted"],
    ["old system, its unit runs", { current: FROM, ...idle, activateActive: true }, {}, null],
    ["old system, its timer runs", { current: FROM, ...idle, revertArmed: true }, {}, null],
    ["old system, another boot", { current: FROM, revertArmed: true, bootId: "boot-2" }, {}, "reverted"],
    ["old system, about to restart", { current: FROM, ...idle }, BOOT, "rebooting"],
    [
      "old system, about to restart, timer on",
      { current: FROM, ...idle, revertArmed: true },
      BOOT,
      "rebooting",
    ],
    ["old system, after the restart", { current: FROM, bootId: "boot-2" }, BOOT, "reverted"],
    ["new system", { revertArmed: true }, {}, "confirming"],
    ["new system, no status recorded", { revertArmed: true }, { rc: null }, "confirming"],
    ["new system, status 4", { revertArmed: true }, { rc: 4 }, "confirming"],
    ["new system, status 1", { revertArmed: true }, { rc: 1 }, "reverting"],
    ["new system, status 1, but restarted since", { bootId: "boot-2" }, { rc: 1 }, "confirming"],
    ["another system, while it runs", { current: OTHER, revertArmed: true }, {}, null],
    ["another system, on the way to a restart", { current: OTHER, revertArmed: true }, BOOT, "rebooting"],
  ])("activated: %s", (_what, more, record, to) => {
    expect(became(at("activating"), seen("activated", more, record))).toBe(to);
  });

  test.each<Row>([
    [
      "new system, its unit has not concluded",
      { revertArmed: true, activateActive: true },
      { rc: null },
      null,
    ],
    ["new system after a restart", { bootId: "boot-2" }, { rc: null }, "confirming"],
    ["old system after a restart", { current: FROM, bootId: "boot-2" }, { rc: null }, "reverted"],
    ["on its way to a restart", { revertArmed: true }, { rc: null, ...BOOT }, "rebooting"],
  ])("activating: %s", (_what, more, record, to) => {
    expect(became(at("activating"), seen("activating", more, record))).toBe(to);
  });

  test("why it is back, and why it is made to go", () => {
    expect(found(at("confirming"), seen("activated", { current: FROM, ...idle }))).toMatchObject({
      data: { failure: { code: "connection-lost" } },
    });
    expect(found(at("confirming"), seen("activated", { current: FROM, bootId: "boot-2" }))).toMatchObject({
      data: { failure: { code: "activation-failed", message: expect.stringContaining("restart") } },
    });
    expect(found(at("activating"), seen("activated", { revertArmed: true }, { rc: 1 }))).toMatchObject({
      msg: "activation ended with status 1",
      data: { failure: { code: "activation-failed", message: "the activation failed" } },
    });
  });

  test("told to go back it is never taken to go forward", () => {
    for (const phase of ["activating", "activated"] as const)
      for (const record of [{}, BOOT])
        for (const current of [TO, OTHER])
          expect(found(goingBack(), seen(phase, { current, revertArmed: true }, record))).toBeNull();
    expect(found(goingBack(), seen("activated", { current: FROM, ...idle }, BOOT))).toBeNull();
  });
});
