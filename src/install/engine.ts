/** Installs the machines of a journalled plan side by side; a machine that fails keeps the others going. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pMap from "p-map";
import { FleetError, toFailure } from "../errors.ts";
import type { HostDriver, HostOperations } from "../host/driver.ts";
import type { CheckConfig, Host, HostName } from "../inventory/model.ts";
import { Channel } from "../kernel/channel.ts";
import type { Clock } from "../kernel/clock.ts";
import { moved, runMoved } from "../rollout/bodies.ts";
import { tally } from "../rollout/classes.ts";
import { LEASE_TTL_MS } from "../rollout/engine.ts";
import type { FleetEvent, HostState } from "../rollout/events.ts";
import { replay } from "../rollout/state.ts";
import { summarize } from "../rollout/summary.ts";
import type { Store } from "../store/store.ts";
import type { Target } from "../transport/transport.ts";
import { type HostIdentity, type IdentityVault, stageFiles } from "./identity.ts";
import { RunJournal } from "./journal.ts";
import { INSTALL_PHASES, type InstallPhase, type PhaseContext } from "./phases.ts";
import type { InstallPlan } from "./plan.ts";

export interface InstallDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly owner: string;
  readonly driver: HostDriver & HostOperations;
  readonly hosts: ReadonlyMap<HostName, Host>;
  readonly checks: (host: Host) => readonly CheckConfig[];
  readonly targetOf: (host: Host) => Target;
  readonly vault: IdentityVault;
  /** Files with secrets for the new system, path -> text; read just before they are needed. */
  readonly secretsFor: (host: Host) => Promise<ReadonlyMap<string, string>>;
  /** Makes the proved key the one that is known from now on. */
  readonly pin: (host: Host, identity: HostIdentity) => Promise<void>;
  readonly program: readonly string[];
  readonly kexec?: string;
  /** Machines at the same time. */
  readonly parallel: number;
  /** What is done to each machine, in order; a conversion does more. Default: `INSTALL_PHASES`. */
  readonly phases?: readonly InstallPhase[];
  /** Scales every phase's deadline; tests and labs use less. */
  readonly patience?: number;
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
  const work = installAll(
    journal,
    history,
    deps,
    signals,
    AbortSignal.any([signals.abort, life.signal]),
  ).then(
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
  await journal.append((s) => [runMoved(s, "running", "installation started")]);
  await pMap(
    plan.hosts,
    async ({ name }) => {
      if (signals.drain.aborted || journal.state.hosts.get(name)?.state === "updated") return;
      await installOne(
        journal,
        name,
        plan,
        reached(history, name, deps.phases ?? INSTALL_PHASES),
        deps,
        signal,
      );
    },
    { concurrency: deps.parallel, signal },
  );
  const t = tally(journal.state.hosts.values());
  const end =
    t.failed > 0
      ? "failed"
      : t.pending > 0
        ? "paused"
        : t.deferred > 0
          ? "succeeded_with_stragglers"
          : "succeeded";
  await journal.append((s) => [
    runMoved(
      s,
      end,
      `${t.ok} installed, ${t.failed} failed, ${t.pending} not done`,
      end === "paused" ? "operator" : undefined,
    ),
  ]);
  await journal.append((s) => [summarize(s, signals.drain.aborted)]);
}

/** The phase an earlier controller was in: the installation goes on there, not at the beginning. */
function reached(
  history: readonly FleetEvent[],
  name: HostName,
  all: readonly InstallPhase[],
): HostState | null {
  const phases = new Set(all.map((p) => p.state));
  const last = history.findLast((e) => e.type === "host.state" && e.host === name && phases.has(e.data.to));
  return last?.type === "host.state" ? last.data.to : null;
}

async function installOne(
  journal: RunJournal,
  name: HostName,
  plan: InstallPlan,
  from: HostState | null,
  deps: InstallDeps,
  signal: AbortSignal,
): Promise<void> {
  const host = deps.hosts.get(name);
  const target = plan.targets[name];
  if (!host || !target) throw new TypeError(`the plan names ${name}, the inventory does not`);
  const to = (state: HostState, msg: string, extra: Parameters<typeof moved>[4] = {}) =>
    journal.append((s) => {
      const at = s.hosts.get(name);
      return at ? [moved(s, at, state, msg, extra)] : [];
    });
  try {
    const identity = await deps.vault.of(name);
    const extraFiles = await mkdtemp(join(tmpdir(), "macula-fleet-files-"));
    await using _files = await stageFiles(extraFiles, identity, await deps.secretsFor(host));
    const context: PhaseContext = {
      host,
      target,
      identity,
      extraFiles,
      driver: deps.driver,
      targetOf: deps.targetOf,
      checks: deps.checks(host),
      program: deps.program,
      ...(deps.kexec === undefined ? {} : { kexec: deps.kexec }),
      clock: deps.clock,
      signal,
      note: (text) => {
        void journal
          .append((s) => {
            const at = s.hosts.get(name);
            return at ? [{ ...moved(s, at, at.state, text), level: "debug" }] : [];
          })
          .catch(() => undefined);
      },
    };
    const phases = deps.phases ?? INSTALL_PHASES;
    const start = Math.max(
      0,
      phases.findIndex((p) => p.state === from),
    );
    for (const phase of phases.slice(start)) {
      signal.throwIfAborted();
      if (phase.skip?.(context)) continue;
      await to(phase.state, phase.intent);
      await phase.run(context, phase.deadlineMs * (deps.patience ?? 1));
    }
    await deps.pin(host, identity);
    await to("updated", "installed: runs the new system, healthy, under its own key");
  } catch (error) {
    signal.throwIfAborted();
    const failure = toFailure(error);
    await to("failed", failure.message, {
      failure: {
        code: failure.code,
        message: failure.message,
        transient: false,
        ...(failure.hint === undefined ? {} : { hint: failure.hint }),
      },
    });
  }
}
