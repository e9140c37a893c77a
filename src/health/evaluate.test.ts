import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CheckResult } from "../host/protocol.ts";
import { foldHealth, type HealthPolicy, type HealthSample } from "./evaluate.ts";

const policy: HealthPolicy = { minHealthyTimeMs: 1000, healthyDeadlineMs: 10_000 };
const result = (status: CheckResult["status"]): CheckResult => ({
  name: "x",
  type: "tcp",
  status,
  message: "",
});

/** `+` well, `-` failed, `?` not now, `!` unreachable: one sample every 500 ms. */
const samples = (marks: string): HealthSample[] =>
  [...marks].map((mark, i) => ({
    at: i * 500,
    results:
      mark === "!" ? null : [result("ok"), result(mark === "+" ? "ok" : mark === "?" ? "retry" : "failed")],
  }));
const verdict = (marks: string, p = policy) => foldHealth(samples(marks), p, 0);

describe("health", () => {
  it.each([
    ["", "waiting", 0],
    ["+", "waiting", 0],
    ["++", "waiting", 0],
    ["+++", "healthy", 0],
    ["---+++", "healthy", 0],
    ["+-+++", "healthy", 1],
    ["+?+++", "healthy", 0],
    ["+!+++", "healthy", 1],
    ["+-+-+-+", "waiting", 3],
    ["+-+-+-+-", "failed", 4],
    ["+++-", "healthy", 0],
    ["-".repeat(20), "waiting", 0],
    ["-".repeat(21), "failed", 0],
    ["?".repeat(21), "failed", 0],
  ] as const)("%s is %s", (marks, expected, resets) => {
    expect(verdict(marks)).toMatchObject({ verdict: expected, resets });
  });

  it("says what is wrong, and why it gave up", () => {
    expect(verdict("-")).toMatchObject({ failing: [{ status: "failed" }], reason: "" });
    expect(verdict("+-+-+-+-").reason).toBe("flapping");
    expect(verdict("-".repeat(21)).reason).toBe("deadline");
  });

  it("is healthy at once when no time is asked for", () => {
    expect(verdict("+", { ...policy, minHealthyTimeMs: 0 }).verdict).toBe("healthy");
  });

  it("is only healthy after an unbroken stretch of that length", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("+", "+", "-", "?", "!"), { maxLength: 20 }), (marks) => {
        const text = marks.join("");
        if (verdict(text).verdict === "healthy") expect(text).toMatch(/\+\+\+/);
      }),
    );
  });

  it("never changes its mind", () => {
    const marks = fc.array(fc.constantFrom("+", "-", "?", "!"), { maxLength: 40 }).map((m) => m.join(""));
    fc.assert(
      fc.property(marks, marks, (before, after) => {
        const first = verdict(before);
        fc.pre(first.verdict !== "waiting");
        expect(verdict(before + after)).toEqual(first);
      }),
    );
  });
});
