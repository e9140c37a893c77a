import { describe, expect, test } from "vitest";
import type { CheckResult } from "../host/protocol.ts";
import { foldHealth, type HealthSample } from "./evaluate.ts";

const result = (status: CheckResult["status"]): CheckResult => ({
  name: "c",
  type: "tcp",
  status,
  message: "",
});
const ok = (at: number): HealthSample => ({ at, results: [result("ok")] });
const ill = (at: number): HealthSample => ({ at, results: [result("failed")] });
const notNow = (at: number): HealthSample => ({ at, results: [result("retry")] });
const gone = (at: number): HealthSample => ({ at, results: null });
const policy = { minHealthyTimeMs: 10, healthyDeadlineMs: 100, maxResets: 1, maxGapMs: 30 };
const judge = (...samples: HealthSample[]) => foldHealth(samples, policy, 0);

describe("healthy", () => {
  test("only after the whole time without a break", () => {
    expect(judge(ok(0), ok(9)).verdict).toBe("waiting");
    expect(judge(ok(0), ok(10)).verdict).toBe("healthy");
    expect(judge(ok(0), ill(5), ok(10)).verdict).toBe("waiting");
    expect(judge(ok(0), gone(5), ok(10)).verdict).toBe("waiting");
  });

  test("not while nobody looked for too long, nor when the clock was set back", () => {
    expect(judge(ok(0), ok(31)).verdict).toBe("waiting");
    expect(judge(ok(50), ok(20)).healthySince).toBe(20);
  });

  test("'not now' is not ok, and no relapse", () => {
    expect(judge(ok(0), notNow(5))).toMatchObject({ verdict: "waiting", healthySince: null, resets: 0 });
  });
});

describe("failed", () => {
  test("when it is not well in time", () => {
    expect(judge(ill(99)).verdict).toBe("waiting");
    expect(judge(ill(100))).toMatchObject({ verdict: "failed", reason: "deadline" });
  });

  test("when it comes and goes more often than it may", () => {
    expect(judge(ok(0), ill(1), ok(2), ill(3))).toMatchObject({ verdict: "failed", reason: "flapping" });
    expect(judge(ok(0), ill(1), ill(2), ill(3)).verdict).toBe("waiting");
  });

  test("for good: what comes later does not change it", () => {
    expect(judge(ill(100), ok(101), ok(120)).verdict).toBe("failed");
  });
});
