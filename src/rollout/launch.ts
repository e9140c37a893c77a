/** From "change these hosts" to a journalled run: look, build, plan; then create, refusing to overlap another run. */
import { createHash, randomBytes } from "node:crypto";
import { FleetError } from "../errors.ts";
import type { HostDriver } from "../host/driver.ts";
import type { Host, HostName, Inventory } from "../inventory/model.ts";
import type { Clock } from "../kernel/clock.ts";
import type { ClosureSource } from "../nix/closures.ts";
import { buildPlan, fingerprint, type KnownHost, type PlanInput } from "../plan/build.ts";
import type { Plan } from "../plan/model.ts";
import type { HostRecord, Store } from "../store/store.ts";
import { type Sighting, survey } from "./survey.ts";

export interface PlanRequest {
  readonly inventory: Inventory;
  readonly hosts: readonly Host[];
  readonly to?: string;
  readonly force: boolean;
  readonly canaryFrom?: (host: Host) => boolean;
  readonly prefer?: (host: Host) => boolean;
}

export interface PlanDeps {
  readonly driver: Pick<HostDriver, "observe">;
  readonly closures: Pick<ClosureSource, "revision" | "build">;
  readonly store: Store;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly forks: number;
  readonly onLine?: (line: string) => void;
}

export interface Planned {
  readonly plan: Plan;
  readonly sightings: ReadonlyMap<HostName, Sighting>;
}

export const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** `r-` and something short to type: time keeps it sortable, two random characters keep it unique. */
export function newRunId(prefix: "r" | "i" | "b", now: number): string {
  return `${prefix}-${now.toString(36).slice(-6)}${randomBytes(1).toString("hex")}`;
}

export async function planRollout(request: PlanRequest, deps: PlanDeps): Promise<Planned> {
  const { inventory, hosts } = request;
  const { closures, signal } = deps;
  const eligible = hosts.filter((h) => h.state === "active" && h.os === "nixos" && h.connect === "ssh");
  const revision = await closures.revision(request.to, { signal });
  const [sightings, built, records] = await Promise.all([
    survey(eligible, deps.driver, deps),
    closures.build(eligible, revision, { signal, ...(deps.onLine ? { onLine: deps.onLine } : {}) }),
    deps.store.hosts(),
  ]);
  const now = deps.clock.now();
  const plan = buildPlan({
    id: newRunId("r", now),
    kind: "rollout",
    inventory,
    hosts,
    revision,
    now,
    known: knownHosts(hosts, sightings, records),
    targets: built,
    rank: (name) => digest(`${revision} ${name}`),
    digest,
    force: request.force,
    ...(request.canaryFrom ? { canaryFrom: request.canaryFrom } : {}),
    ...(request.prefer ? { prefer: request.prefer } : {}),
  });
  return { plan, sightings };
}

/** A plan for systems that are already known: undo and rollback. */
export function planTo(input: Omit<PlanInput, "rank" | "digest">): Plan {
  return buildPlan({ ...input, rank: (name) => digest(`${input.revision} ${name}`), digest });
}

export function knownHosts(
  hosts: readonly Host[],
  sightings: ReadonlyMap<HostName, Sighting>,
  records: ReadonlyMap<HostName, HostRecord>,
): ReadonlyMap<HostName, KnownHost> {
  return new Map(
    hosts.flatMap((host): [HostName, KnownHost][] => {
      const held = records.get(host.name)?.held;
      const seen = sightings.get(host.name);
      const hold = held ? { held: `held by ${held.by}: ${held.reason}` } : {};
      if (!seen) return held ? [[host.name, { reachable: true, current: null, ...hold }]] : [];
      if (!seen.reachable) {
        // A refused key or login is no outage: it stays in the plan, with a warning, and fails with its own words.
        const { transient, message } = seen.failure;
        const trouble = transient ? {} : { trouble: message.replace(`${host.name}: `, "") };
        return [[host.name, { reachable: !transient, current: null, ...trouble, ...hold }]];
      }
      const o = seen.observation;
      const own = o.hold
        ? { held: `held on the host by ${o.hold.by}: ${o.hold.reason}` }
        : o.lock
          ? { held: `locked by ${o.lock.by}: ${o.lock.reason}` }
          : {};
      return [[host.name, { reachable: true, current: o.current, profile: o.profile, ...own, ...hold }]];
    }),
  );
}

/** A saved plan runs only against the fleet it was made for, unchanged. */
export function assertFresh(plan: Plan, sightings: ReadonlyMap<HostName, Sighting>): void {
  if (digest(fingerprint(plan)) !== plan.hash) {
    throw new FleetError("plan-stale", "this plan was edited after it was made", {
      hint: "plan again: macula-fleet plan -o json > p.json",
    });
  }
  const moved = plan.hosts.flatMap((h) => {
    const seen = sightings.get(h.name);
    return seen?.reachable && h.from !== null && seen.observation.current !== h.from ? [h.name] : [];
  });
  if (moved.length > 0) {
    throw new FleetError(
      "plan-stale",
      `the fleet has moved since this plan was made: ${moved.join(", ")} run something else now`,
      {
        hint: "plan again: macula-fleet plan -o json > p.json",
      },
    );
  }
}
