import { describe, expect, test } from "vitest";
import { forecast } from "../../src/simulation/forecast.ts";
import { forecastText } from "../../src/simulation/forecast-text.ts";
import { aHost, anInventory, FAST } from "../support/fleet.ts";

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 6, 1, 12);
const hosts = Array.from({ length: 24 }, (_, i) =>
  aHost(`node-${String(i + 1).padStart(2, "0")}`, i === 23 ? "bootstrap" : "peer", {
    site: i % 2 ? "gent" : "brugge",
  }),
);
const policy = {
  ...FAST,
  confirmTimeoutMs: 3 * MINUTE,
  minHealthyTimeMs: MINUTE,
  healthyDeadlineMs: 10 * MINUTE,
  progressDeadlineMs: 30 * MINUTE,
  soak: { canaryMs: 15 * MINUTE, waveMs: [5 * MINUTE] },
  finalBakeMs: 10 * MINUTE,
  offline: { ...FAST.offline, unreachableDeadlineMs: 10 * MINUTE },
};

describe("forecast", () => {
  test("all goes well: everybody once, soaks included, bytes by site", async () => {
    const { good, plan } = await forecast(anInventory(hosts, policy), {
      now: NOW,
      model: { bytesPerHost: 1e8 },
    });
    expect(good).toMatchObject({ end: "succeeded", touched: 24, updated: 24, hosts: 24 });
    expect(good.bytesPerSite).toEqual({ brugge: 12e8, gent: 12e8 });
    expect(good.perWave.map((w) => w.hosts)).toEqual(plan.waves.map((w) => w.hosts.length));
    expect(good.durationMs).toBeGreaterThan(30 * MINUTE);
    expect(good.mostUnavailable).toBeLessThanOrEqual(plan.limits.maxUnavailable);
  });

  test("a bad release stops at the canaries, and no host keeps it", async () => {
    const { unhealthy, cutOff } = await forecast(anInventory(hosts, policy), { now: NOW });
    for (const bad of [unhealthy, cutOff]) {
      expect(bad).toMatchObject({ end: "paused", updated: 0 });
      expect(bad.touched).toBeLessThanOrEqual(3);
    }
  });

  test("without canaries and with tolerance it costs more, and the text says so", async () => {
    const bold = {
      ...policy,
      canary: { ...policy.canary, count: { kind: "count", n: 0 } as const },
      waves: [{ kind: "percent", pct: 100 } as const],
      maxFailures: { canary: { kind: "count", n: 0 } as const, wave: { kind: "percent", pct: 50 } as const },
    };
    const shy = await forecast(anInventory(hosts, policy), { now: NOW });
    const cast = await forecast(anInventory(hosts, bold), { now: NOW });
    expect(cast.unhealthy.touched).toBeGreaterThan(shy.unhealthy.touched);
    expect(forecastText(cast)).toContain(`${cast.unhealthy.touched} of 24 hosts`);
    expect(forecastText(cast)).toMatch(/^Simulated, nothing was touched/);
  });

  test("windows are waited for", async () => {
    const windows = [{ days: [], start: "02:00", lengthMs: 3 * 60 * MINUTE, tz: "UTC" }];
    const { good } = await forecast(anInventory(hosts.slice(0, 3), { ...policy, windows }), { now: NOW });
    expect(good.end).toBe("succeeded");
    expect(good.durationMs).toBeGreaterThan(14 * 60 * MINUTE);
  });
});
