/** Installs the machines of a journalled plan side by side; a machine that fails keeps the others going. */
import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import pMap from "p-map";
import { FleetError } from "../errors.ts";
import type { HostDriver, HostOperations } from "../host/driver.ts";
import type { CheckConfig, Host, HostName } from "../inventory/model.ts";
import { Channel } from "../kernel/channel.ts";
import type { Clock } from "../kernel/clock.ts";
import { runMoved } from "../rollout/bodies.ts";
import { tally } from "../rollout/classes.ts";
import type { FleetEvent } from "../rollout/events.ts";
import { LEASE_TTL_MS } from "../rollout/run-lease.ts";
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
  const lease = await store.lease(`run:${runId}`, deps.owner, LEASE_TTL_MS, clock.now());
  if (!lease)
    throw new FleetError("locked", `${runId} is driven by somebody else`, {
      hint: `macula-fleet rollout watch ${runId}`,
    });
  const history = await store.events(runId);
  const state = replay(history);
  if (!state) throw new FleetError("rollout-not-found", `there is no run ${runId}`);
  const channel = new Channel<FleetEvent>();
  const journal = new RunJournal(store, clock, lease, state, (event) => channel.push(event));
  const life = new AbortController();
  const signal = AbortSignal.any([signals.abort, life.signal]);
  const work = installAll(journal, history, deps, signals, signal).then(
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
    await work;
    await store.release(journal.lease).catch(() => undefined);
  }
}

async function installAll(
  journal: RunJournal,
  history: readonly FleetEvent[],
  deps: InstallDeps,
  signals: { readonly drain: AbortSignal },
  signal: AbortSignal,
): Promise<void> {
  const plan = journal.state.plan as InstallPlan;
  const workDir = join(deps.workDir, plan.id);
  // What a killed controller left running, and of secrets, goes first.
  await endLeftovers(workDir);
  await rm(workDir, { recursive: true, force: true });
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  await chmod(deps.workDir, 0o700);
  try {
    await journal.append((s) => [runMoved(s, "running", "installation started")]);
    await pMap(
      plan.hosts,
      async ({ name }) => {
        if (signals.drain.aborted || journal.state.hosts.get(name)?.state === "updated") return;
        await installOne({ journal, history, name, plan, deps, workDir: join(workDir, name), signal });
      },
      { concurrency: deps.parallel, signal, stopOnError: false },
    );
    await conclude(journal, signals.drain.aborted, deps.outcome?.word ?? "installed");
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function conclude(journal: RunJournal, drained: boolean, word: string): Promise<void> {
  const t = tally(journal.state.hosts.values());
  const end =
    t.failed > 0
      ? "failed"
      : t.pending > 0
        ? "paused"
        : t.deferred > 0
          ? "succeeded_with_stragglers"
          : "succeeded";
  const reason = end === "paused" ? "operator" : undefined;
  const said = `${t.ok} ${word}, ${t.failed} failed, ${t.pending} not done`;
  await journal.append((s) => [runMoved(s, end, said, reason)]);
  await journal.append((s) => [summarize(s, drained)]);
}
