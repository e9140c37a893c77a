/** One machine of an install run, from its first phase or from where it was interrupted. */
import { join } from "node:path";
import { FleetError, toFailure } from "../errors.ts";
import type { HostName } from "../inventory/model.ts";
import { moved } from "../rollout/bodies.ts";
import type { FleetEvent, HostState } from "../rollout/events.ts";
import type { PhaseContext } from "./context.ts";
import { keysOf } from "./context.ts";
import type { InstallDeps, Stop } from "./engine.ts";
import type { RunJournal } from "./journal.ts";
import { openLog } from "./log.ts";
import { INSTALL_PHASES, type InstallPhase } from "./phases.ts";
import type { InstallPlan } from "./plan.ts";
import { type Found, foundFrom, resumeAt } from "./resume.ts";
import { newSelves } from "./verify.ts";
import { findInstaller } from "./whereabouts.ts";

export interface MachineRun {
  readonly journal: RunJournal;
  readonly history: readonly FleetEvent[];
  readonly name: HostName;
  readonly plan: InstallPlan;
  readonly deps: InstallDeps;
  readonly workDir: string;
  readonly stop: Stop;
  readonly signal: AbortSignal;
}

/** A failure is journalled, not thrown; only an abort is. */
export async function installOne(run: MachineRun): Promise<void> {
  const { journal, name, deps, signal } = run;
  const to = (state: HostState, msg: string, extra: Parameters<typeof moved>[4] = {}) =>
    journal.append((s) => {
      const at = s.hosts.get(name);
      return at ? [moved(s, at, state, msg, extra)] : [];
    });
  const log = await openLog(join(deps.logDir, run.plan.id), name);
  try {
    const c = await contextOf(run, (line) => log.write(line));
    const phases = deps.phases ?? INSTALL_PHASES;
    let at = reachedBefore(run);
    const from = await whereToStart(at, run, c);
    const first = phases.findIndex((p) => p.state === from);
    const erasing = phases.findIndex((p) => p.erases);
    // By an earlier controller: there is nothing to leave as it was.
    const erased =
      at !== null &&
      Math.min(
        first,
        phases.findIndex((p) => p.state === at),
      ) >= erasing;
    for (const [i, phase] of phases.entries()) {
      if (i < first) continue;
      signal.throwIfAborted();
      const orLeave = () => {
        if (!erased && i <= erasing && run.stop.erase.aborted)
          throw leftAlone(run.stop.erase, phase, i > 0 && !c.target.inInstaller);
      };
      orLeave();
      if (phase.skip?.(c)) continue;
      log.write(`--- ${phase.name}: ${phase.intent}`);
      if (phase.gate) {
        await to(at ?? "preflight", `looks once more before it ${phase.intent}`);
        await phase.gate(c, async (state, msg) => {
          orLeave();
          await to(state, msg);
        });
        // Looking may take an hour, of a large archive.
        orLeave();
      }
      at = phase.state;
      await to(at, phase.intent);
      await phase.run(c, deps.phaseDeadlineMs ?? phase.deadlineMs);
    }
    await deps.pin(c.host, c.identity);
    await to("updated", deps.outcome?.says ?? "installed: runs the new system, healthy, under its own key");
  } catch (error) {
    signal.throwIfAborted();
    const { code, message, hint } = toFailure(error);
    log.write(`--- failed: ${message}`);
    await to("failed", message, {
      failure: { code, message, transient: false, ...(hint === undefined ? {} : { hint }) },
      detail: { log: log.file },
    });
  } finally {
    await log[Symbol.asyncDispose]();
  }
}

/** An aborted run erases nothing more; what it has erased it finishes, for there is nothing to go back to. */
function leftAlone({ reason }: AbortSignal, { name }: InstallPhase, inInstaller: boolean): FleetError {
  const hint = inInstaller
    ? "it is in an installer: a power cycle brings its old system back"
    : "it runs as before";
  return new FleetError(
    "interrupted",
    `${toFailure(reason).message}, before ${name}: its disk is untouched`,
    {
      hint,
    },
  );
}

async function contextOf(run: MachineRun, log: (line: string) => void): Promise<PhaseContext> {
  const { deps, plan, name, journal, signal } = run;
  const host = deps.hosts.get(name);
  const target = plan.targets[name];
  if (!host || !target)
    throw new FleetError("plan-stale", `the inventory has no host ${name} any more`, {
      hint: "plan again: macula-fleet install --check",
    });
  const more = deps.moreFor?.(host) ?? {};
  return {
    host,
    target,
    identity: await deps.vault.of(name),
    workDir: run.workDir,
    driver: deps.driver,
    targetOf: deps.targetOf,
    checks: deps.checks(host),
    secrets: () => deps.secretsFor(host),
    ...more,
    program: deps.program,
    ...(deps.kexec === undefined ? {} : { kexec: deps.kexec }),
    pathVariable: deps.pathVariable,
    standIn: deps.standIn ?? false,
    hints: deps.hints,
    clock: deps.clock,
    signal,
    log,
    note: (text) => {
      void journal
        .append((s) => {
          const at = s.hosts.get(name);
          return at ? [{ ...moved(s, at, at.state, text), level: "debug" }] : [];
        })
        .catch(() => undefined);
    },
    place: null,
  };
}

/** The phase an earlier controller was in; null: none. */
function reachedBefore(run: MachineRun): HostState | null {
  const phases = new Set((run.deps.phases ?? INSTALL_PHASES).map((p) => p.state));
  const last = run.history.findLast(
    (e) => e.type === "host.state" && e.host === run.name && phases.has(e.data.to),
  );
  return last?.type === "host.state" ? last.data.to : null;
}

/** That phase, corrected by what the machine is now. */
async function whereToStart(reached: HostState | null, run: MachineRun, c: PhaseContext): Promise<HostState> {
  const from = run.plan.hosts.find((h) => h.name === run.name)?.from ?? "";
  const planned = { ...c.target, current: from };
  // What was confirmed may have been confirmed long ago: nothing else is erased than what it was then.
  const found = reached === null ? foundFrom(await asPlanned(c), planned) : await find(c, planned);
  const start = resumeAt(reached, found);
  if (start !== null) return start;
  throw found?.is === "other-system"
    ? new FleetError(
        "plan-stale",
        `runs ${found.runs} now, and ran ${c.target.runs} ${from} when its erasure was confirmed`,
        {
          hint: `what it runs now is left alone; to erase it, look again: macula-fleet install --check --reinstall --limit ${run.name}`,
        },
      )
    : new FleetError("install-failed", `${run.name} does not answer, so nobody can say how far it is`, {
        hint: "look at its screen; then macula-fleet install --continue",
      });
}

const asPlanned = (c: PhaseContext) => c.driver.facts(c.host, { signal: c.signal });

async function find(c: PhaseContext, planned: Parameters<typeof foundFrom>[1]): Promise<Found> {
  const { host, signal, target } = c;
  for await (const self of newSelves(c)) {
    const seen = await c.driver.observe(self, { signal, fresh: true }).catch(() => null);
    signal.throwIfAborted();
    if (seen?.current === target.toplevel && seen.bootId !== target.bootId) return { is: "installed" };
  }
  const facts = c.driver.facts.bind(c.driver);
  const search = { host, hostKeys: keysOf(c), macs: target.macs, facts, hints: c.hints, signal };
  const place = await findInstaller(search);
  if (place !== null) {
    if (place.address !== host.address || place.port !== host.port) c.place = place;
    const self = { ...host, ...place, user: "root", identity: { ...host.identity, hostKeys: keysOf(c) } };
    return foundFrom(await facts(self, { signal }), planned);
  }
  const old = await asPlanned(c).catch(() => null);
  signal.throwIfAborted();
  return old === null ? null : foundFrom(old, planned);
}
