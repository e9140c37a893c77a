/** Every limit at its edge, and never more hosts at once than all of them allow. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Limits, Plan } from "../../src/plan/model.ts";
import { blockedBy, measure, type Place } from "../../src/rollout/budgets.ts";
import { decide } from "../../src/rollout/decide.ts";
import { type EventBody, HostState } from "../../src/rollout/events.ts";
import {
  began,
  blockOf,
  busy,
  FLEET,
  limitOf,
  planWith,
  staged,
  tolerating,
  touched,
} from "../support/limited.ts";
import { aContext, aRun, host, progress, T0 } from "../support/run.ts";

describe("a limit lets in as many as it says, and no more", () => {
  test.each<[string, Partial<Limits>, string[], string, string | null]>([
    ["max-parallel", { maxParallel: 2 }, ["a1"], "b1", null],
    ["max-parallel", { maxParallel: 2 }, ["a1", "a2"], "b1", "max-parallel"],
    ["max-unavailable", { maxUnavailable: 2 }, ["a1"], "b1", null],
    ["max-unavailable", { maxUnavailable: 2 }, ["a1", "a2"], "b1", "max-unavailable"],
    ["of a role", { maxUnavailablePerRole: { peer: 1 } }, ["g1"], "b1", null],
    ["of a role", { maxUnavailablePerRole: { peer: 1 } }, ["a2"], "b1", "max-unavailable of peer"],
    ["of another role", { maxUnavailablePerRole: { gateway: 0 } }, ["g1"], "b1", null],
    ["parallel of a role", { maxParallelPerRole: { peer: 1 } }, ["g1"], "b1", null],
    ["parallel of a role", { maxParallelPerRole: { peer: 1 } }, ["a2"], "b1", "max-parallel of peer"],
    ["in a site", { activatingPerSite: 1 }, ["a1"], "b1", null],
    ["in a site", { activatingPerSite: 1 }, ["b2"], "b1", "activations in brugge"],
    ["of a site", { maxUnavailablePerSite: { brugge: 1 } }, ["a1"], "b1", null],
    ["of a site", { maxUnavailablePerSite: { brugge: 1 } }, ["b2"], "b1", "max-unavailable of brugge"],
    ["of another site", { maxUnavailablePerSite: { gent: 0 } }, ["b2"], "b1", null],
    ["without a site", { activatingPerSite: 1, maxUnavailablePerSite: { null: 0 } }, ["n2"], "n1", null],
    ["of a cluster", { maxUnavailablePerCluster: { red: 1 } }, ["a3"], "b1", null],
    [
      "of a cluster",
      { maxUnavailablePerCluster: { red: 1 } },
      ["a2"],
      "b1",
      "max-unavailable of cluster red",
    ],
    ["without a cluster", { maxUnavailablePerCluster: { null: 0 } }, ["n2"], "n1", null],
    ["reached through it", {}, ["a2"], "g1", null],
    ["reached through it", {}, ["a1"], "g1", "hosts behind it are in flight"],
    ["reached through another", {}, ["g1"], "a1", "g1 is in flight"],
    ["reached through another", {}, ["g2"], "a1", null],
  ])("%s: %j, while %j: %s -> %j", (_what, limits, others, name, limit) => {
    expect(limitOf(planWith(limits), busy(...others), name)).toBe(limit);
  });

  test("whom a full limit keeps out, too", () => {
    const keepsOut = (limits: Partial<Limits>, other: string, name: string, more: Partial<Plan> = {}) =>
      blockOf(aRun(planWith(limits, more), ...began, ...busy(other)), name)?.keepsOut;
    expect(keepsOut({ maxParallel: 1 }, "b2", "b1")).toBe("everybody");
    expect(keepsOut({ maxUnavailable: 1 }, "b2", "b1")).toBe("everybody");
    expect(keepsOut({}, "b2", "b1", tolerating(0))).toBe("everybody");
    expect(keepsOut({ maxUnavailablePerRole: { peer: 1 } }, "b2", "b1")).toBe("its role");
    expect(keepsOut({ maxParallelPerRole: { peer: 1 } }, "b2", "b1")).toBe("its role");
    expect(keepsOut({ activatingPerSite: 1 }, "b2", "b1")).toBe("its site");
    expect(keepsOut({ maxUnavailablePerSite: { brugge: 1 } }, "b2", "b1")).toBe("its site");
    expect(keepsOut({ maxUnavailablePerCluster: { red: 1 } }, "a2", "b1")).toBe("it");
    expect(keepsOut({}, "g1", "a1")).toBe("it");
    expect(keepsOut({}, "a1", "g1")).toBe("it");
  });
});

describe("who takes up room", () => {
  const AT_RISK: readonly HostState[] = [
    "activating",
    "rebooting",
    "confirming",
    "committing",
    "reverting",
    "unknown",
  ];

  test.each(HostState.options)("a host told to activate, now %s", (state) => {
    const bodies = touched("a1", state);
    const atRisk = AT_RISK.includes(state);
    expect(limitOf(planWith({ maxParallel: 1 }), bodies, "b1")).toBe(atRisk ? "max-parallel" : null);
    // One that failed may be down until somebody looks; it is in nobody's way otherwise.
    const down = atRisk || state === "failed";
    expect(limitOf(planWith({ maxUnavailable: 1 }), bodies, "b1")).toBe(down ? "max-unavailable" : null);
  });

  test("a host that failed before anything was done to it is what it was", () => {
    const bodies = [host("a1", "preflight"), host("a1", "failed")];
    expect(limitOf(planWith({ maxUnavailable: 1 }), bodies, "b1")).toBeNull();
  });

  test("a host whose guards are asked has its slot already", () => {
    const state = aRun(planWith({ maxParallel: 2, maxUnavailable: 1 }), ...began, ...staged("a1"));
    expect(blockOf(state, "b1")).toBeNull();
    expect(blockOf(state, "b1", ["a1"])?.limit).toBe("max-unavailable");
    const going = aRun(planWith({ maxParallel: 2 }), ...began, ...busy("a1"));
    expect(blockOf(going, "b1", ["a1"])).toBeNull();
  });
});

describe("hosts that another run has unavailable", () => {
  const theirs = { name: "x", role: "peer", site: "brugge", cluster: "red", via: "g2" } as const;
  const limitBeside = (
    limits: Partial<Limits>,
    name: string,
    place: Partial<Place> = {},
    bodies: EventBody[] = [],
  ) => {
    const state = aRun(planWith(limits), ...began, ...bodies);
    const target = state.targets.get(name);
    if (!target) throw new Error(`no ${name}`);
    const other = { ...theirs, ...place };
    return blockedBy(measure(state, new Set(), new Map([[other.name, other]])), target)?.limit ?? null;
  };

  test("are unavailable here, too, but take up none of our slots", () => {
    expect(
      limitBeside({ maxParallel: 1, activatingPerSite: 1, maxParallelPerRole: { peer: 1 } }, "b1"),
    ).toBeNull();
    expect(limitBeside({ maxUnavailable: 1 }, "a3")).toBe("max-unavailable");
    expect(limitBeside({ maxUnavailablePerRole: { peer: 1 } }, "a3")).toBe("max-unavailable of peer");
    expect(limitBeside({ maxUnavailablePerSite: { brugge: 1 } }, "b1")).toBe("max-unavailable of brugge");
    expect(limitBeside({ maxUnavailablePerCluster: { red: 1 } }, "a1")).toBe(
      "max-unavailable of cluster red",
    );
  });

  test("are reached, and reached through, as ours are", () => {
    expect(limitBeside({}, "g2")).toBe("hosts behind it are in flight");
    expect(limitBeside({}, "g1")).toBeNull();
    expect(limitBeside({}, "a1", { name: "g1", via: null })).toBe("g1 is in flight");
    expect(limitBeside({}, "a2", { name: "g1", via: null })).toBeNull();
  });

  test("count once, and no more when this run has met them at rest", () => {
    const two = { maxUnavailable: 2 };
    expect(limitBeside(two, "b1", { name: "a1", via: null }, [host("a1", "failed")])).toBeNull();
    expect(limitBeside({ maxUnavailable: 1 }, "b1", { name: "a1", via: null })).toBe("max-unavailable");
    expect(limitBeside({ maxUnavailable: 1 }, "b1", { name: "a1", via: null }, staged("a1"))).toBeNull();
  });
});

describe("all limits together", () => {
  const some = fc.record({
    limits: fc.record({
      maxParallel: fc.integer({ min: 0, max: 6 }),
      maxUnavailable: fc.integer({ min: 0, max: 6 }),
      activatingPerSite: fc.integer({ min: 0, max: 3 }),
      maxUnavailablePerSite: fc.record({ gent: fc.integer({ min: 0, max: 3 }) }),
      maxUnavailablePerCluster: fc.record({ red: fc.integer({ min: 0, max: 2 }) }),
      maxParallelPerRole: fc.record({ peer: fc.integer({ min: 0, max: 5 }) }),
    }),
    states: fc.array(
      fc.constantFrom<HostState>("staged", "staged", "staged", "confirming", "failed", "pending"),
      {
        minLength: FLEET.length,
        maxLength: FLEET.length,
      },
    ),
  });

  test("whoever may go goes, and nobody else", () => {
    fc.assert(
      fc.property(some, ({ limits, states }) => {
        const plan = planWith({ ...limits, copying: 0 });
        const is = new Map(FLEET.map((h, i) => [h.name, states[i] ?? "pending"]));
        const state = aRun(
          plan,
          ...began,
          ...FLEET.flatMap((h) => {
            const s = is.get(h.name);
            return s === "pending" ? [] : s === "staged" ? staged(h.name) : touched(h.name, s as HostState);
          }),
        );
        const asked = decide(state, aContext({ now: T0 + 60_000 })).effects.flatMap((e) =>
          e.kind === "guard" ? [e.host] : [],
        );
        const going = new Set([
          ...asked,
          ...FLEET.flatMap((h) => (is.get(h.name) === "confirming" ? [h.name] : [])),
        ]);
        const down = new Set([
          ...going,
          ...FLEET.flatMap((h) => (is.get(h.name) === "failed" ? [h.name] : [])),
        ]);
        const within = (but?: string) => {
          const list = (names: ReadonlySet<string>) =>
            plan.hosts.filter((h) => names.has(h.name) && h.name !== but);
          const [g, d] = [list(going), list(down)];
          const site = (s: string) => (h: { site: string | null }) => h.site === s;
          return {
            everywhere: g.length < limits.maxParallel && d.length < limits.maxUnavailable,
            peers: g.filter((h) => h.role === "peer").length < limits.maxParallelPerRole.peer,
            gent: d.filter(site("gent")).length < limits.maxUnavailablePerSite.gent,
            site: (s: string) => g.filter(site(s)).length < limits.activatingPerSite,
            red: d.filter((h) => h.cluster === "red").length < limits.maxUnavailablePerCluster.red,
            via: (h: Plan["hosts"][number]) =>
              !(h.via !== null && going.has(h.via)) && !g.some((other) => other.via === h.name),
          };
        };
        /** Room for it, all others as they are. */
        const fits = (name: string): boolean => {
          const h = plan.hosts.find((p) => p.name === name);
          if (!h) return false;
          const room = within(name);
          return (
            room.everywhere &&
            (h.role !== "peer" || room.peers) &&
            (h.site !== "gent" || room.gent) &&
            (h.site === null || room.site(h.site)) &&
            (h.cluster !== "red" || room.red) &&
            room.via(h)
          );
        };
        for (const name of asked) expect(fits(name), name).toBe(true);
        for (const [name, s] of is) {
          if (s === "staged" && progress(state, name).wave === 1 && !asked.includes(name))
            expect(fits(name), name).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });
});
