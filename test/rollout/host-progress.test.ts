/** What a run takes a host for: silent, or given up. */
import { describe, expect, test } from "vitest";
import { type HostState, HostState as HostStates } from "../../src/rollout/events.ts";
import { attemptKey, isGivenUp, isSilent } from "../../src/rollout/host-progress.ts";
import { at } from "../support/one-host.ts";
import { progress } from "../support/run.ts";

const anyHost = progress(at("pending"), "a");
const because = (code: string) => ({ code, message: "", transient: false });
const NO_ANSWER = ["unreachable", "connection-lost", "command-timeout"];
const ANSWERS = ["host-busy", "host-not-now", "health-failed", "host-fenced"];

describe("silent", () => {
  test.each([
    ...NO_ANSWER.map((code) => [code, true] as const),
    ...ANSWERS.map((code) => [code, false] as const),
  ])("in trouble for %s: %s; it is what it is now that counts", (trouble, silent) => {
    const host = { ...anyHost, troubleSince: 1, trouble };
    expect(isSilent(host)).toBe(silent);
    expect(
      isSilent({ ...host, state: "unknown", failure: because(silent ? "host-busy" : "unreachable") }),
    ).toBe(silent);
  });

  test("without trouble: lost since its activation, and nothing else", () => {
    const lost = (state: HostState, code: string) => isSilent({ ...anyHost, state, failure: because(code) });
    for (const code of NO_ANSWER) expect(lost("unknown", code)).toBe(true);
    for (const code of ANSWERS) expect(lost("unknown", code)).toBe(false);
    expect(lost("failed", "unreachable")).toBe(false);
    expect(isSilent({ ...anyHost, state: "unknown" })).toBe(false);
    expect(isSilent({ ...anyHost, troubleSince: 1 })).toBe(false);
  });
});

describe("given up", () => {
  const given = (more: object) =>
    isGivenUp({ ...anyHost, state: "failed", unsettled: true, failure: because("unreachable"), ...more });

  test("in flight, for want of an answer or because it is still at it", () => {
    for (const code of [...NO_ANSWER, "host-busy"]) expect(given({ failure: because(code) })).toBe(true);
    for (const code of ["health-failed", "host-fenced", "host-not-now"])
      expect(given({ failure: because(code) })).toBe(false);
    expect(given({ failure: null })).toBe(false);
  });

  test("not once it was seen at rest, nor in any other state", () => {
    expect(given({ unsettled: false })).toBe(false);
    for (const state of HostStates.options) expect(given({ state })).toBe(state === "failed");
  });
});

test("one attempt on one host has a name of its own", () => {
  expect(attemptKey({ ...anyHost, attempt: 2 })).toBe("a/2");
});
