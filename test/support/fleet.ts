import { createHash } from "node:crypto";
import type { Host, Inventory, Role } from "../../src/inventory/model.ts";
import { buildPlan, type PlanInput } from "../../src/plan/build.ts";
import type { Plan } from "../../src/plan/model.ts";
import type { Policy } from "../../src/plan/policy.ts";
import { modelHost } from "../../src/simulation/fleet.ts";

/** Object mothers: whole, valid, boring; say only what a test is about. */
export const FAST: Policy = {
  order: ["peer", "gateway", "bootstrap"],
  canary: {
    count: { kind: "percent", pct: 10 },
    max: 10,
    spread: ["role", "site", "hardware"],
    select: [],
    prefer: [],
  },
  maxParallel: { kind: "percent", pct: 50 },
  maxUnavailable: { fleet: { kind: "percent", pct: 50 }, clusters: {} },
  maxFailures: { canary: { kind: "count", n: 0 }, wave: { kind: "percent", pct: 5 } },
  perSite: { activating: 4, copying: 4 },
  copyParallel: 8,
  roles: {
    bootstrap: { maxUnavailable: { kind: "count", n: 1 }, minAvailable: { kind: "percent", pct: 51 } },
    gateway: { maxParallel: { kind: "count", n: 1 } },
  },
  onFailure: "pause",
  promote: "auto",
  confirmTimeoutMs: 600,
  minHealthyTimeMs: 40,
  healthyDeadlineMs: 300,
  progressDeadlineMs: 10_000,
  soak: { canaryMs: 30, waveMs: [20] },
  finalBakeMs: 30,
  offline: { policy: "defer", catchUpMs: 1e9, unreachableDeadlineMs: 300 },
  windows: [],
  reboot: "if-needed",
};

export function aHost(name: string, role: Role = "peer", more: Partial<Host> = {}): Host {
  return { ...modelHost(name, role, "gent", null), address: "127.0.0.1", ...more };
}

export function anInventory(hosts: readonly Host[], policy: Partial<Policy> = {}): Inventory {
  const sites = [...new Set(hosts.flatMap((h) => (h.site === null ? [] : [h.site])))];
  return {
    fleet: { name: "test", realm: "io.macula.test", flake: "./flake", release: "26.05" },
    hosts,
    bastions: {},
    sites: Object.fromEntries(
      sites.map((name) => [name, { name, timezone: "UTC", windows: [], uplink: { metered: false } }]),
    ),
    clusters: {},
    groups: {},
    policy: { ...FAST, ...policy },
    checks: [],
    files: [],
    baseDir: "/",
  };
}

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
export const system = (host: string, revision: string): string =>
  `/nix/store/${sha256(host + revision)
    .replace(/[^0-9a-d]/g, "0")
    .slice(0, 32)}-nixos-system-${host}-${revision}`;

export function aPlan(inventory: Inventory, more: Partial<PlanInput> = {}): Plan {
  const hosts = more.hosts ?? inventory.hosts;
  return buildPlan({
    id: "r-1",
    kind: "rollout",
    inventory,
    hosts,
    revision: "r2",
    now: 0,
    known: new Map(hosts.map((h) => [h.name, { reachable: true, current: system(h.name, "r1") }])),
    targets: new Map(hosts.map((h) => [h.name, { toplevel: system(h.name, "r2"), size: 1000 }])),
    rank: (name) => sha256(`r2 ${name}`),
    digest: sha256,
    force: false,
    ...more,
  });
}
