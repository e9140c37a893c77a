/** No clock: what a decision costs is counted in hosts it looks at, so that it cannot creep back to all of them. */
import { describe, expect, test } from "vitest";
import { decide } from "../../src/rollout/decide.ts";
import type { EventBody, FleetEvent } from "../../src/rollout/events.ts";
import { HostMap } from "../../src/rollout/host-map.ts";
import type { HostProgress } from "../../src/rollout/host-progress.ts";
import { evolve, type RolloutState } from "../../src/rollout/state.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { aContext, aRun, host, run, T0, wave } from "../support/run.ts";

const HOSTS = 5000;
const plan = aPlan(
  anInventory(
    Array.from({ length: HOSTS }, (_, i) => aHost(`h-${i}`, "peer", { site: `site-${i % 100}` })),
    { maxParallel: { kind: "count", n: 25 } },
  ),
);
const LAST = plan.waves.length;
const members = (index: number) => plan.waves[index - 1]?.hosts ?? [];
const early = plan.waves.slice(0, -1).flatMap((w) => w.hosts);
const all = (to: "updated" | "staged", names: readonly string[]) =>
  names.map((name) => host(name, to, { fence: 7, previous: "/nix/store/old" }));

const now = T0 + 20_000_000;
const begun = [run("running"), wave("wave.start", 1), ...all("updated", early)];
const MOMENTS: Record<string, readonly EventBody[]> = {
  "most of a wave is not begun": [...begun, wave("wave.start", LAST)],
  "everybody is staged and waits for a slot": [
    ...begun,
    wave("wave.start", LAST),
    ...all("staged", members(LAST)),
  ],
  "a wave soaks": [...begun, wave("wave.soak", LAST - 1)],
  "a window is awaited": [
    ...begun,
    wave("wave.start", LAST),
    ...all("staged", members(LAST)),
    run("paused", "window"),
  ],
};

/** The same state, and the names of hosts whose progress is looked at from now on. */
function observed(state: RolloutState): { readonly state: RolloutState; readonly seen: Set<string> } {
  const seen = new Set<string>();
  const spy = (h: HostProgress) =>
    new Proxy(h, {
      get(target, key: keyof HostProgress) {
        seen.add(target.name);
        return target[key];
      },
    });
  const sections = [...plan.waves.map((_, i) => i), LAST].map((section) =>
    state.hosts.parts(section).flatMap((part) => part.values.map((h) => [h.name, spy(h)] as const)),
  );
  return { state: { ...state, hosts: HostMap.of(...sections) }, seen };
}

describe(`after one event a decision about ${HOSTS} hosts looks at few of them`, () => {
  test.each(Object.entries(MOMENTS))("%s", (_, events) => {
    const { state, seen } = observed(aRun(plan, ...events));
    const context = aContext({ now, resumedSeq: 0 });
    decide(state, context);
    expect(seen.size).toBeGreaterThan(100); // The spy works: nothing was remembered yet.

    const body = host(members(LAST)[7] ?? "", "confirming", { fence: 7 });
    const ts = new Date(now).toISOString();
    const next = evolve(state, { ...body, ts, seq: state.lastSeq + 1, rollout: plan.id } as FleetEvent);
    seen.clear();
    decide(next, context);
    expect(seen.size).toBeLessThan(HOSTS / 20);
  });
});
