/** What is known of a host after each kind of event. */
import { describe, expect, test } from "vitest";
import { type EventBody, HostState as HostStates } from "../../src/rollout/events.ts";
import { isSilent } from "../../src/rollout/state.ts";
import { add, failure, LATER, next, same } from "../support/folding.ts";
import { at, iso, PLAN } from "../support/one-host.ts";
import { host, progress } from "../support/run.ts";

describe("a host", () => {
  test("is in a state since it came there, and touched whenever it is spoken of", () => {
    const before = at("confirming");
    expect(next(before, same("confirming"))).toMatchObject({
      since: progress(before, "a").since,
      touchedAt: LATER,
    });
    expect(next(before, host("a", "committing"))).toMatchObject({
      state: "committing",
      since: LATER,
      touchedSeq: before.lastSeq + 1,
      seenSeq: before.lastSeq + 1,
    });
  });

  test("trouble: since when, of what kind, how often, when it is tried again; and over at the next good word", () => {
    const once = at(
      "staging",
      PLAN,
      same("staging", { failure: failure("unreachable"), deadline: iso(LATER) }),
    );
    const first = progress(once, "a");
    expect(first).toMatchObject({
      trouble: "unreachable",
      tries: 1,
      retryAt: LATER,
      troubleSince: first.touchedAt,
    });
    expect(isSilent(first)).toBe(true);
    const twice = next(once, same("staging", { failure: failure("host-busy") }));
    expect(twice).toMatchObject({
      trouble: "host-busy",
      tries: 2,
      retryAt: null,
      troubleSince: first.troubleSince,
    });
    expect(isSilent(twice)).toBe(false);
    const well = { trouble: null, tries: 0, retryAt: null, troubleSince: null };
    expect(next(once, host("a", "staged", { deadline: iso(LATER) }))).toMatchObject(well);
    expect(next(once, host("a", "failed", { failure: failure("copy-failed", false) }))).toMatchObject(well);
    const check: EventBody = {
      type: "host.check",
      level: "info",
      msg: "",
      host: "a",
      data: { results: [], healthy: true },
    };
    expect(next(once, check)).toMatchObject({
      ...well,
      contactAt: LATER,
      touchedAt: LATER,
      seenSeq: once.lastSeq + 1,
    });
  });

  test("a failure does not tell where it stands", () => {
    const before = at("confirming");
    const silent = next(before, same("confirming", { failure: failure("unreachable") }));
    expect(silent).toMatchObject({ seenSeq: before.lastSeq, touchedSeq: before.lastSeq + 1 });
  });

  test.each<[string, EventBody, boolean]>([
    ["an intent of the run", host("a", "committing"), false],
    ["another intent", host("a", "reverting", { failure: failure("health-failed", false) }), false],
    ["an answer", same("confirming"), true],
    ["a result", host("a", "updated"), true],
    ["no answer", same("confirming", { failure: failure("connection-lost") }), false],
    [
      "a host that went back by itself, because it lost contact",
      host("a", "reverted", { failure: failure("connection-lost", false) }),
      true,
    ],
    ["a refusal", same("confirming", { failure: failure("host-protocol") }), true],
  ])("%s: it answered: %#", (_what, body, answered) => {
    const before = at("confirming");
    expect(next(before, body).contactAt).toBe(answered ? LATER : progress(before, "a").contactAt);
  });

  test("an intent that is repeated is an answer", () => {
    expect(next(at("activating"), same("activating")).contactAt).toBe(LATER);
  });

  test("keeps what it was told until it is told otherwise", () => {
    const told = {
      fence: 9,
      previous: "p",
      baselineFailed: ["u"],
      mode: "boot" as const,
      detail: { bootId: "b" },
      bytes: 5,
    };
    const before = at("staging", PLAN, same("staging", told));
    const kept = { fence: 9, previous: "p", baselineFailed: ["u"], mode: "boot", bootId: "b", bytes: 5 };
    expect(progress(before, "a")).toMatchObject(kept);
    expect(next(before, host("a", "staged", { detail: { bootId: 3 } }))).toMatchObject(kept);
    expect(next(before, host("a", "staged", { bytes: 2, fence: 10 }))).toMatchObject({
      ...kept,
      fence: 10,
      bytes: 7,
    });
  });

  test("its timer runs until it moves on; trouble does not stop it", () => {
    const armed = at("staged", PLAN, host("a", "activating", { fence: 1, deadline: iso(LATER) }));
    expect(progress(armed, "a").deadline).toBe(iso(LATER));
    expect(next(armed, same("activating")).deadline).toBe(iso(LATER));
    const trouble = same("activating", { failure: failure("unreachable"), deadline: iso(LATER + 1) });
    expect(next(armed, trouble)).toMatchObject({ deadline: iso(LATER), retryAt: LATER + 1 });
    expect(next(armed, host("a", "confirming")).deadline).toBeNull();
    expect(next(armed, same("activating", { deadline: iso(LATER + 2) })).deadline).toBe(iso(LATER + 2));
  });

  test("why it failed stays while it goes back, and goes when it moves on", () => {
    const ill = failure("health-failed", false);
    const back = at("confirming", PLAN, host("a", "reverting", { failure: ill }));
    expect(next(back, same("reverting", { failure: failure("unreachable") })).failure).toEqual(ill);
    expect(next(back, same("reverting")).failure).toEqual(ill);
    expect(next(back, host("a", "reverted")).failure).toEqual(ill);
    expect(next(back, host("a", "reverted", { failure: failure("x", false) })).failure?.code).toBe("x");
    expect(next(back, host("a", "updated")).failure).toBeNull();
    const silent = at("confirming", PLAN, same("confirming", { failure: failure("unreachable") }));
    expect(next(silent, same("confirming")).failure?.code).toBe("unreachable");
    expect(next(silent, host("a", "committing")).failure).toBeNull();
  });

  test("its health is proven anew after each change, not after each word", () => {
    const check: EventBody = {
      type: "host.check",
      level: "info",
      msg: "",
      host: "a",
      data: { results: [{ name: "app", type: "command", status: "failed", message: "" }], healthy: false },
    };
    const ill = at("confirming", PLAN, check);
    expect(progress(ill, "a").health.checkedAt).not.toBeNull();
    expect(next(ill, same("confirming")).health).toEqual(progress(ill, "a").health);
    expect(next(ill, host("a", "unknown")).health).toEqual(progress(ill, "a").health);
    expect(next(ill, host("a", "updated")).health.checkedAt).toBeNull();
    const unknown = add(ill, host("a", "unknown"));
    expect(next(unknown, host("a", "confirming")).health.checkedAt).toBeNull();
  });

  test("is committed from its update until it has gone back", () => {
    const done = at("updated");
    expect(progress(done, "a").committed).toBe(true);
    expect(next(done, host("a", "reverting")).committed).toBe(true);
    expect(next(done, host("a", "reverted")).committed).toBe(false);
    expect(next(at("confirming"), host("a", "committing")).committed).toBe(false);
    const found = (detail: Record<string, unknown>) =>
      next(at("preflight"), host("a", "skipped", { detail })).committed;
    expect([found({ confirmed: true }), found({})]).toEqual([true, false]);
    expect(next(at("preflight"), host("a", "deferred", { detail: { confirmed: true } })).committed).toBe(
      false,
    );
  });

  test("a new attempt starts without the marks of the one before, and in a state of its own", () => {
    const log: EventBody = { type: "host.log", level: "info", msg: "", host: "a", data: { lines: ["x"] } };
    const failed = at(
      "updated",
      PLAN,
      host("a", "failed", { failure: failure("x", false), mode: "boot", deadline: iso(LATER) }),
      log,
    );
    expect(progress(failed, "a").evidence).toEqual(["x"]);
    expect(next(failed, host("a", "pending", {}, 2))).toMatchObject({
      attempt: 2,
      state: "pending",
      since: LATER,
      fence: null,
      deadline: null,
      failure: null,
      evidence: null,
      committed: false,
      mode: "test",
      previous: progress(failed, "a").previous,
    });
    const waiting = at("pending");
    expect(next(waiting, host("a", "pending", {}, 2)).since).toBe(LATER);
    expect(next(failed, host("a", "failed", {}, 1))).toMatchObject({ attempt: 1, evidence: ["x"] });
  });

  test.each(HostStates.options)("given up in flight (then %s): unsettled until it is seen at rest", (to) => {
    const lost = at("unknown", PLAN, host("a", "failed", { failure: failure("unreachable", false) }));
    expect(progress(lost, "a").unsettled).toBe(true);
    const rest = ["staging", "updated", "reverted", "skipped", "deferred"].includes(to);
    expect(next(lost, host("a", to)).unsettled).toBe(!rest);
    const because = (code: string) => next(lost, host("a", to, { failure: failure(code, false) })).unsettled;
    if (to === "skipped" || to === "deferred") expect(because("unreachable")).toBe(true);
    if (to === "drifted") expect(["plan-stale", "host-protocol"].map(because)).toEqual([false, true]);
    if (to === "failed" || to === "preflight") expect(because("plan-stale")).toBe(true);
    const untouched = at("preflight", PLAN, host("a", "failed"));
    expect(progress(untouched, "a").unsettled).toBe(false);
  });
});
