/** A made-up fleet for a seed: hosts, sites, roles, policy, and what the new release does to each host. [pure] */
import type { Host, Inventory, Role } from "../inventory/model.ts";
import type { Behaviour, StoreEntry } from "../lab/machine/system.ts";
import type { Policy } from "../plan/policy.ts";
import type { Random } from "./random.ts";

/** A simulated system as one store entry: closures are the lab's business, not the engine's. */
export function systemEntry(host: string, revision: string, behaviour: Behaviour): StoreEntry {
  const digest = `${hash(host, 1)}${hash(revision, 2)}${hash(behaviour, 3)}${hash(host + revision, 4)}${hash(host, 5)}`;
  return {
    path: `/nix/store/${digest.slice(0, 32)}-nixos-system-${host}-${revision}`,
    size: 2 ** 20,
    refs: [],
    system: {
      host,
      revision,
      behaviour,
      version: `26.05.sim-${revision}`,
      kernel: behaviour === "needs-reboot" ? "6.18.0" : "6.12.58",
    },
  };
}

function hash(text: string, salt: number): string {
  let x = 2166136261 ^ Math.imul(salt, 16777619);
  for (let i = 0; i < text.length; i++) x = Math.imul(x ^ text.charCodeAt(i), 16777619);
  return (x >>> 0).toString(16).padStart(8, "0").replaceAll("e", "x");
}

export function modelHost(name: string, role: Role, site: string, bastion: string | null): Host {
  return {
    name,
    address: name,
    port: 22,
    user: "root",
    bastion,
    connect: "ssh",
    site,
    groups: [],
    roles: [role],
    role,
    arch: "x86_64-linux",
    os: "nixos",
    state: "active",
    channel: "stable",
    convert: false,
    hardware: { boot: "uefi", consoles: [] },
    disk: { device: "facts", layout: "single-ext4", espSize: "1GiB", keep: [], data: {} },
    network: { dhcp: true, dns: [], ntp: [], wifi: [] },
    k3s: { role: "none", clusterInit: false, labels: {}, taints: [], extraArgs: [] },
    mesh: { bootstrapPeers: [], tlsMode: "development" },
    identity: { hostKeys: [] },
    users: {},
    kernel: { modules: [], sysctls: {} },
    files: [],
    services: {},
    backup: {},
    tags: [],
    labels: {},
    rollout: { order: 0 },
    build: { on: "local" },
    ssh: { connectTimeoutMs: 10_000, hostKeyPolicy: "strict", elevate: "auto" },
    checks: [],
    source: { file: "simulation", line: 1, col: 1 },
  };
}

export function randomPolicy(random: Random): Policy {
  const s = (low: number, high: number) => random.int(low, high) * 1000;
  return {
    order: ["peer", "gateway", "bootstrap"],
    canary: {
      count: { kind: "percent", pct: random.pick([10, 20, 34]) },
      max: 10,
      spread: ["role", "site", "version"],
      select: [],
      prefer: [],
    },
    ...(random.chance(0.5)
      ? { waves: [{ kind: "percent", pct: 50 } as const, { kind: "percent", pct: 100 } as const] }
      : {}),
    maxParallel: random.pick([
      { kind: "count", n: random.int(1, 4) },
      { kind: "percent", pct: 50 },
    ] as const),
    maxUnavailable: {
      fleet: random.pick([
        { kind: "count", n: random.int(1, 3) },
        { kind: "percent", pct: 34 },
      ] as const),
      ...(random.chance(0.4) ? { site: { kind: "count", n: random.int(1, 2) } as const } : {}),
      clusters: {},
    },
    maxFailures: {
      canary: { kind: "count", n: 0 },
      wave: random.pick([
        { kind: "count", n: random.int(0, 2) },
        { kind: "percent", pct: 20 },
      ] as const),
      ...(random.chance(0.2) ? { perSite: 1 } : {}),
    },
    perSite: { activating: random.int(1, 3), copying: random.int(1, 3) },
    copyParallel: 8,
    roles: {
      bootstrap: { maxUnavailable: { kind: "count", n: 1 }, minAvailable: { kind: "percent", pct: 51 } },
      gateway: { maxParallel: { kind: "count", n: 1 }, minAvailablePerSite: { kind: "count", n: 1 } },
    },
    onFailure: random.pick(["pause", "pause", "rollback", "continue"] as const),
    promote: random.pick(["auto", "auto", "manual"] as const),
    confirmTimeoutMs: s(15, 60),
    minHealthyTimeMs: s(3, 15),
    healthyDeadlineMs: s(30, 90),
    progressDeadlineMs: s(240, 600),
    soak: { canaryMs: s(0, 20), waveMs: [s(0, 15)] },
    finalBakeMs: s(0, 15),
    offline: {
      policy: random.pick(["defer", "defer", "fail", "skip"] as const),
      catchUpMs: 1e9,
      unreachableDeadlineMs: s(30, 120),
    },
    windows: random.chance(0.02)
      ? ["12:04", "12:40", "13:30", "15:00"].map((start) => ({
          days: [],
          start,
          lengthMs: s(240, 900),
          tz: "UTC",
        }))
      : [],
    reboot: random.pick(["never", "if-needed", "if-needed", "always"] as const),
  };
}

export function randomInventory(random: Random): Inventory {
  const sites = Array.from({ length: random.int(1, 3) }, (_, i) => `s${i + 1}`);
  const hosts: Host[] = [];
  const gateways = random.chance(0.5) ? random.int(1, 2) : 0;
  for (let i = 1; i <= gateways; i++) hosts.push(modelHost(`gw-${i}`, "gateway", random.pick(sites), null));
  for (let i = 1, n = random.int(2, 8); i <= n; i++) {
    const site = random.pick(sites);
    const gateway = hosts.find((h) => h.role === "gateway" && h.site === site);
    const behind = gateway && random.chance(0.5) ? gateway.name : null;
    hosts.push(modelHost(`peer-${i}`, "peer", site, behind));
  }
  for (let i = 1, n = random.pick([0, 0, 1, 3, 4]); i <= n; i++)
    hosts.push(modelHost(`boot-${i}`, "bootstrap", random.pick(sites), null));
  const eager = random.chance(0.3) ? random.pick(hosts).name : "";
  return {
    fleet: { name: "simulated", realm: "io.macula.sim", flake: ".", release: "26.05" },
    hosts: hosts.map((h) =>
      h.name === eager ? { ...h, rollout: { canary: "always" as const, order: 0 } } : h,
    ),
    bastions: Object.fromEntries(
      hosts
        .filter((h) => h.role === "gateway")
        .map((h) => [h.name, { name: h.name, address: h.address, port: 22, user: "root" }]),
    ),
    sites: Object.fromEntries(
      sites.map((name) => [name, { name, timezone: "UTC", windows: [], uplink: { metered: false } }]),
    ),
    clusters: {},
    groups: {},
    policy: randomPolicy(random),
    checks: [],
    files: [],
    baseDir: "/",
  };
}

const BAD: readonly Behaviour[] = [
  "bad-health",
  "activation-fails",
  "needs-reboot",
  "cuts-network",
  "no-boot",
];

/** Most releases are good; some break one host, some break them all in the same way. */
export function randomBehaviours(random: Random, hosts: readonly Host[]): ReadonlyMap<string, Behaviour> {
  const kind = random.next();
  const everywhere = random.pick(BAD);
  return new Map(
    hosts.map((h) => {
      if (kind < 0.45) return [h.name, "good"];
      if (kind < 0.6) return [h.name, everywhere];
      return [h.name, random.chance(0.25) ? random.pick(BAD) : "good"];
    }),
  );
}
