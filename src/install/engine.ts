/** Installs the machines of a journalled plan side by side; a machine that fails keeps the others going. */
import { chmod, mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import pMap from "p-map";
import { FleetError } from "../errors.ts";
import type { HostDriver, HostOperations } from "../host/driver.ts";
import type { CheckConfig, Host, HostName } from "../inventory/model.ts";
import { Channel } from "../kernel/channel.ts";
import type { Clock } from "../kernel/clock.ts";
import { takenBy } from "../rollout/begin.ts";
import { runMoved } from "../rollout/bodies.ts";
import { tally } from "../rollout/classes.ts";
import { type FleetEvent, TERMINAL_STATES } from "../rollout/events.ts";
import { LEASE_TTL_MS, takeLease } from "../rollout/run-lease.ts";
import { replay } from "../rollout/state.ts";
import { summarize } from "../rollout/summary.ts";
import type { Store } from "../store/store.ts";
import type { Target } from "../transport/transport.ts";
import type { HostIdentity, IdentityVault } from "./identity.ts";
import { RunJournal } from "./journal.ts";
import { endLeftovers } from "./leftovers.ts";
import { installOne } from "./machine.ts";
import type { InstallPhase } from "./phases.ts";
import type { InstallPlan } from "./plan.ts";
import type { SecretFile } from "./secrets/gather.ts";
import type { AddressHints } from "./whereabouts.ts";
import { listen } from "./words.ts";

export interface InstallDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly owner: string;
  readonly driver: HostDriver & HostOperations;
  readonly hosts: ReadonlyMap<HostName, Host>;
  readonly checks: (host: Host) => readonly CheckConfig[];
  readonly targetOf: (host: Host) => Target;
  readonly vault: IdentityVault;
  /** The new system's secrets; read just before they are needed, and not kept. */
  readonly secretsFor: (host: Host) => Promise<readonly SecretFile[]>;
  /** Makes the proved key the one that is known from now on. */
  readonly pin: (host: Host, identity: HostIdentity) => Promise<void>;
  /** More for the new system than identity and secrets: a tree laid over its root, options for nixos-anywhere. */
  readonly moreFor?: (host: Host) => { readonly overlay?: string; readonly options?: readonly string[] };
  /** What is done to each machine, in order; a conversion does more. Default: `INSTALL_PHASES`. */
  readonly phases?: readonly InstallPhase[];
  /** What is true of a machine after the last phase. Default: installed. */
  readonly outcome?: { readonly word: string; readonly says: string };
  readonly program: readonly string[];
  /** The lab's stand-in: finds machines by address and port. */
  readonly standIn?: boolean;
  readonly kexec?: string;
  readonly pathVariable: string | undefined;
  readonly hints: AddressHints;
  /** Private directory for keys and secrets on their way; below it one per run, removed at the run's end. */
  readonly workDir: string;
  /** One log file per machine, below a directory per run. */
  readonly logDir: string;
  /** Machines at the same time. */
  readonly parallel: number;
  /** Every phase's deadline in place of its own. */
  readonly phaseDeadlineMs?: number;
}

/** Drives an install run to its end. Yields what it appends. */
export async function* driveInstall(
  runId: string,
  deps: InstallDeps,
  signals: { readonly drain: AbortSignal; readonly abort: AbortSignal },
): AsyncGenerator<FleetEvent, void, undefined> {
  const { store, clock } = deps;
  const lease = await takeLease(runId, deps);
  const history = await store.events(runId);
  const state = replay(history);
  if (!state) throw new FleetError("rollout-not-found", `there is no run ${runId}`);
  const channel = new Channel<FleetEvent>();
  const journal = new RunJournal(store, clock, lease, state, (event) => channel.push(event));
  const life = new AbortController();
  const signal = AbortSignal.any([signals.abort, life.signal]);
  const told = listen(journal, deps, life.signal);
  const stop = { begin: AbortSignal.any([signals.drain, told.pause]), erase: told.abort };
  const work = installAll(journal, history, deps, stop, signal).then(
    () => channel.close(),
    (error: unknown) => channel.fail(error),
  );
  const heart = setInterval(
    () => journal.renew(LEASE_TTL_MS).catch((error: unknown) => life.abort(error)),
    LEASE_TTL_MS / 3,
  );
  try {
    yield* channel;
  } finally {
    clearInterval(heart);
    life.abort();
    await Promise.all([work, told.over]);
    await store.release(journal.lease).catch(() => undefined);
  }
}

/** Signals that hold a run up without tearing anything down. */
export interface Stop {
  /** Begin no further machine. */
  readonly begin: AbortSignal;
  /** Nor go on to erase one that has begun. */
  readonly erase: AbortSignal;
}

async function installAll(
  journal: RunJournal,
  history: readonly FleetEvent[],
  deps: InstallDeps,
  stop: Stop,
  signal: AbortSignal,
): Promise<void> {
  const plan = journal.state.plan as InstallPlan;
  const workDir = join(deps.workDir, plan.id);
  await begin(journal, deps.store, "installation started");
  // What a killed controller left running at these machines, in whatever run, and of secrets, goes first.
  const names = new Set(plan.hosts.map((h) => h.name));
  await endLeftovers(deps.workDir, (dir) => names.has(basename(dir)));
  await rm(workDir, { recursive: true, force: true });
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  await chmod(deps.workDir, 0o700);
  try {
    await pMap(
      plan.hosts,
      async ({ name }) => {
        if (stop.begin.aborted || journal.state.hosts.get(name)?.state === "updated") return;
        await installOne({ journal, history, name, plan, deps, workDir: join(workDir, name), stop, signal });
      },
      { concurrency: deps.parallel, signal, stopOnError: false },
    );
    await conclude(journal, stop, deps.outcome?.word ?? "installed");
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/**
 * Says that the run goes on, unless another one has hosts of its: before it says so, and once more after, for of two that
 * begin at the same moment at least one then sees the other. Throws `locked`.
 */
export async function begin(
  journal: RunJournal,
  store: Pick<Store, "runs" | "events">,
  msg: string,
): Promise<void> {
  const { plan, status } = journal.state;
  const assertOurs = async (undo: () => Promise<void>) => {
    const taken = await takenBy(store, plan);
    if (taken === null) return;
    await undo();
    throw new FleetError("locked", `${plan.id} cannot go on: ${taken}`, {
      hint: "macula-fleet rollout history",
    });
  };
  await assertOurs(async () => undefined);
  if (status === "aborting") return;
  await journal.append((s) => [runMoved(s, "running", msg)]);
  const back = TERMINAL_STATES.has(status) ? status : "aborted";
  await assertOurs(() => journal.append((s) => [runMoved(s, back, "nothing was begun")]));
}

async function conclude(journal: RunJournal, stop: Stop, word: string): Promise<void> {
  const t = tally(journal.state.hosts.values());
  const end = stop.erase.aborted
    ? "aborted"
    : t.failed > 0
      ? "failed"
      : t.pending > 0
        ? "paused"
        : t.deferred > 0
          ? "succeeded_with_stragglers"
          : "succeeded";
  const why = end === "paused" ? ({ reason: "operator" } as const) : {};
  const said = `${t.ok} ${word}, ${t.failed} failed, ${t.pending} not done`;
  await journal.append((s) => [runMoved(s, end, said, why)]);
  await journal.append((s) => [summarize(s, stop.begin.aborted)]);
}
