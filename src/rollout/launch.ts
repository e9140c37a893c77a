/** From "change these hosts" to a journalled run: look, build, plan; then create, refusing to overlap another run. */
import { createHash, randomBytes } from "node:crypto";
import { FleetError } from "../errors.ts";
import type { HostDriver } from "../host/driver.ts";
import type { Host, HostName, Inventory } from "../inventory/model.ts";
import type { Clock } from "../kernel/clock.ts";
import type { ClosureSource } from "../nix/closures.ts";
import { buildPlan, fingerprint, type KnownHost, type PlanInput } from "../plan/build.ts";
import type { Plan } from "../plan/model.ts";
import type { HostRecord, Lease, RunKind, Store } from "../store/store.ts";
import { type FleetEvent, TERMINAL_STATES } from "./events.ts";
import { rememberUnsettled } from "./remember.ts";
import { replay } from "./state.ts";
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
  readonly closures: ClosureSource;
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

export interface StartOptions {
  readonly operator: string;
  readonly clock: Clock;
  /** Take hosts over from runs that are not finished. */
  readonly supersede?: boolean;
  /** Hosts that were looked at: our fence must be above any they have met, also from another store. */
  readonly sightings?: ReadonlyMap<HostName, Sighting>;
  readonly signal?: AbortSignal;
}

const TURN_MS = 10_000;
const TURN_LOOK_MS = 100;

/** Runs are started one after another; each start is short, or dead and forgotten after `TURN_MS`. */
async function takeTurn(store: Store, o: StartOptions): Promise<Lease | null> {
  const until = o.clock.now() + TURN_MS;
  for (;;) {
    const now = o.clock.now();
    const gate = await store.lease("fleet:start", o.operator, TURN_MS, now, highestFence(o.sightings));
    if (gate || now > until) return gate;
    await o.clock.sleep(TURN_LOOK_MS, o.signal);
  }
}

/** Creates the run with its plan as first event. Throws `locked` when an unfinished run has hosts in common. */
export async function startRun(store: Store, plan: Plan, o: StartOptions): Promise<readonly FleetEvent[]> {
  const kind: RunKind = plan.kind === "rollback" ? "rollback" : "rollout";
  const gate = await takeTurn(store, o);
  if (!gate)
    throw new FleetError("locked", "another run is being started right now", {
      hint: "try again in a moment",
    });
  try {
    await refuseOverlap(store, plan, o);
    await store.create({
      id: plan.id,
      kind,
      revision: plan.revision,
      state: "planned",
      operator: o.operator,
      createdAt: o.clock.now(),
      hosts: plan.hosts.length,
      ...(plan.reverts === undefined ? {} : { reverts: plan.reverts }),
    });
    const msg = `${plan.revision}: ${plan.hosts.length} hosts in ${plan.waves.length} waves, ${plan.excluded.length} left alone`;
    return await store.append(plan.id, 0, [{ type: "plan", level: "info", msg, data: { plan } }], {
      now: o.clock.now(),
    });
  } finally {
    await store.release(gate);
  }
}

function highestFence(sightings: StartOptions["sightings"]): number {
  const fences = [...(sightings ?? new Map<HostName, Sighting>()).values()].map((s) =>
    s.reachable ? (s.observation.state?.fence ?? 0) : 0,
  );
  return Math.max(0, ...fences);
}

async function refuseOverlap(store: Store, plan: Plan, o: StartOptions): Promise<void> {
  const ours = new Set(plan.hosts.map((h) => h.name));
  for (const run of await store.runs({ active: true })) {
    if (TERMINAL_STATES.has(run.state)) continue;
    const state = replay(await store.events(run.id));
    const common = state?.plan.hosts.filter((h) => ours.has(h.name)).map((h) => h.name) ?? [];
    if (!state || common.length === 0) continue;
    const driver = await store.holder(`run:${run.id}`, o.clock.now());
    if (!o.supersede || driver) {
      const who = driver ? `driven by ${driver.owner}` : run.state;
      throw new FleetError(
        "locked",
        `${run.id} (${who}) has not finished with ${common.slice(0, 5).join(", ")}${common.length > 5 ? " …" : ""}`,
        {
          hint: driver
            ? `wait for it, or: macula-fleet rollout abort ${run.id}`
            : `macula-fleet rollout resume ${run.id}, or abort ${run.id}, or take its hosts over with --supersede`,
        },
      );
    }
    await rememberUnsettled(store, state, o.clock.now());
    await store.append(
      run.id,
      state.lastSeq,
      [
        {
          type: "rollout.state",
          level: "warn",
          msg: `superseded by ${plan.id}`,
          data: { from: state.status, to: "superseded", detail: plan.id },
        },
      ],
      { now: o.clock.now(), state: "superseded" },
    );
  }
}
