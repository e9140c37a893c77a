/** Runs begin one after another, and none with hosts that another one has not finished with. */
import { FleetError } from "../errors.ts";
import type { HostName } from "../inventory/model.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Plan } from "../plan/model.ts";
import type { Lease, RunKind, Store } from "../store/store.ts";
import { type FleetEvent, TERMINAL_STATES } from "./events.ts";
import { goOnCommand, isInstallation } from "./next.ts";
import { remembered } from "./remember.ts";
import { RULES, type Rules } from "./rules.ts";
import { type RolloutState, replay } from "./state.ts";
import type { Sighting } from "./survey.ts";

export interface StartOptions {
  readonly operator: string;
  readonly clock: Clock;
  /** Take hosts over from runs that are not finished. */
  readonly supersede?: boolean;
  /** Hosts that were looked at: our fence must be above any they have met, also from another store. */
  readonly sightings?: ReadonlyMap<HostName, Sighting>;
  readonly signal?: AbortSignal;
  /** Only simulations replace rules. */
  readonly rules?: Rules;
}

const TURN_MS = 10_000;
const TURN_LOOK_MS = 100;

/** Each turn is short, or its owner dead and forgotten after `TURN_MS`. */
async function takeTurn(store: Store, o: StartOptions): Promise<Lease | null> {
  const until = o.clock.now() + TURN_MS;
  for (;;) {
    const now = o.clock.now();
    const gate = await store.lease("fleet:start", o.operator, TURN_MS, now, highestFence(o.sightings));
    if (gate || now > until) return gate;
    await o.clock.sleep(TURN_LOOK_MS, o.signal);
  }
}

function highestFence(sightings: StartOptions["sightings"]): number {
  const fences = [...(sightings ?? new Map<HostName, Sighting>()).values()].map((s) =>
    s.reachable ? (s.observation.state?.fence ?? 0) : 0,
  );
  return Math.max(0, ...fences);
}

/**
 * Creates the run with its plan as first event. Throws `locked` when an unfinished run has hosts in common. Whoever
 * slept through its turn creates it all the same: it is looked at once more before it is driven (`takenBy`).
 */
export async function startRun(store: Store, plan: Plan, o: StartOptions): Promise<readonly FleetEvent[]> {
  const gate = await takeTurn(store, o);
  if (!gate)
    throw new FleetError("locked", "another run is being started right now", {
      hint: "try again in a moment",
    });
  try {
    const unfinished = await holdersOf(store, plan, o.rules);
    await refuse(store, plan, unfinished, o);
    for (const { state } of unfinished) await supersede(store, state, plan, o);
    await store.create({
      id: plan.id,
      kind: recordedAs(plan),
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
    await store.release(gate).catch(() => undefined); // It ends by itself.
  }
}

function recordedAs(plan: Plan): RunKind {
  if (isInstallation(plan)) return "install";
  return plan.kind === "rollback" ? "rollback" : "rollout";
}

/** Who has not finished with hosts of this plan, in words; null: nobody. */
export async function takenBy(
  store: Pick<Store, "runs" | "events">,
  plan: Plan,
  rules?: Rules,
): Promise<string | null> {
  const [other] = await holdersOf(store, plan, rules);
  return other ? holderText(other.state.status, other) : null;
}

/** An unfinished run, and the hosts it has in common with a plan. */
interface Holder {
  readonly state: RolloutState;
  readonly hosts: readonly HostName[];
}

/** Other runs that have not finished with hosts of this plan. */
async function holdersOf(
  store: Pick<Store, "runs" | "events">,
  plan: Plan,
  rules: Rules = RULES,
): Promise<readonly Holder[]> {
  const holders: Holder[] = [];
  for (const run of await store.runs({ active: true })) {
    if (run.id === plan.id || TERMINAL_STATES.has(run.state)) continue;
    const state = replay(await store.events(run.id));
    const hosts = state ? rules.taken(plan, state) : [];
    if (state && hosts.length > 0) holders.push({ state, hosts });
  }
  return holders;
}

const holderText = (who: string, { state, hosts }: Holder): string =>
  `${state.plan.id} (${who}) has not finished with ${hosts.slice(0, 5).join(", ")}${hosts.length > 5 ? " …" : ""}`;

/** All of them are asked before any of them is told: a run that cannot begin has superseded nobody. */
async function refuse(store: Store, plan: Plan, holders: readonly Holder[], o: StartOptions): Promise<void> {
  for (const holder of holders) {
    const { id } = holder.state.plan;
    const driver = await store.holder(`run:${id}`, o.clock.now());
    // Machines that are being installed are in no state that a rollout could go on from.
    const mayTakeOver = !isInstallation(plan) && !isInstallation(holder.state.plan);
    if (mayTakeOver && (o.rules ?? RULES).mayTakeOver(o.supersede === true, driver)) continue;
    const who = driver ? `driven by ${driver.owner}` : holder.state.status;
    throw new FleetError("locked", holderText(who, holder), {
      hint: driver
        ? `wait for it, or: macula-fleet rollout abort ${id}`
        : `${goOnCommand(holder.state.plan)}; or give it up: macula-fleet rollout abort ${id}${mayTakeOver ? "; or take its hosts over with --supersede" : ""}`,
    });
  }
}

async function supersede(store: Store, state: RolloutState, by: Plan, o: StartOptions): Promise<void> {
  const superseded = {
    type: "rollout.state",
    level: "warn",
    msg: `superseded by ${by.id}`,
    data: { from: state.status, to: "superseded", detail: by.id },
  } as const;
  const { id } = state.plan;
  const now = o.clock.now();
  const hosts = await remembered(store, state, [superseded], now, o.rules);
  await store.append(id, state.lastSeq, [superseded], { now, state: "superseded", hosts });
}
