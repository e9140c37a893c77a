/** Planning and driving installations: shared by `install` and `replace`. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import pMap from "p-map";
import type { App } from "../app.ts";
import { EXIT, type ExitCode, FleetError, toFailure } from "../errors.ts";
import type { HostFacts } from "../host/protocol.ts";
import { checkAnywhere } from "../install/anywhere/version.ts";
import type { Refusal } from "../install/checks/index.ts";
import { driveInstall } from "../install/engine.ts";
import { openVault } from "../install/identity.ts";
import { type InstallPlan, isInstallable, planInstall } from "../install/plan.ts";
import { missingSecrets, refusalFrom } from "../install/secrets/check.ts";
import { gatherSecrets } from "../install/secrets/gather.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import { Channel } from "../kernel/channel.ts";
import { startRun } from "../rollout/begin.ts";
import type { FleetEvent } from "../rollout/events.ts";
import { digest, newRunId } from "../rollout/launch.ts";
import { goOnCommand } from "../rollout/next.ts";
import { replay } from "../rollout/state.ts";
import { exitOf } from "../rollout/summary.ts";
import type { Store } from "../store/store.ts";
import { classOf } from "../ui/view/classes.ts";
import { releaseDead } from "./controllers.ts";
import { render } from "./follow.ts";
import { type FleetWorld, installSurroundings } from "./install-surroundings.ts";
import { findAnywhere } from "./installing.ts";
import { pinInto } from "./pinning.ts";

export interface InstallOptions {
  readonly to?: string | undefined;
  readonly reinstall: boolean;
  readonly nixosAnywhere?: string | undefined;
  readonly kexec?: string | undefined;
  readonly parallel: number;
  readonly phaseDeadline?: number | undefined;
}

export interface InstallWorld extends FleetWorld {
  /** The host as the inventory has it, where the one to be installed is another: there its proved key is pinned. */
  readonly recorded?: (host: Host) => Host;
}

/** Looks at every machine, builds what is installable, and says what would happen. Changes nothing. */
export async function makeInstallPlan(
  app: App,
  world: InstallWorld,
  hosts: readonly Host[],
  options: Pick<InstallOptions, "to" | "reinstall">,
): Promise<InstallPlan> {
  const { inventory, remote } = world;
  const { signal } = app;
  const facts = new Map<string, HostFacts>();
  const silent = new Map<string, string>();
  const refusing = new Map<string, readonly Refusal[]>();
  const look = async (host: Host) => {
    try {
      facts.set(host.name, await remote.driver.facts(host, { signal }));
    } catch (error) {
      signal.throwIfAborted();
      const { transient, message } = toFailure(error);
      if (transient) silent.set(host.name, message);
      else refusing.set(host.name, [refusalFrom(error)]);
    }
  };
  const asked = hosts.filter((h) => h.os !== "k3os" && (h.state === "active" || h.state === "planned"));
  const [revision] = await Promise.all([
    remote.closures.revision(options.to, { signal }),
    pMap(asked, look, { concurrency: app.globals.forks, signal }),
  ]);
  const judged = { inventory, reinstall: options.reinstall, silent, troubles: refusing };
  const built = asked.filter((h) => isInstallable(h, facts.get(h.name), judged));
  const [systems, disko, missing] = await Promise.all([
    remote.closures.build(built, revision, { signal }),
    remote.closures.disko(built, revision, { signal }),
    missingSecrets(built, inventory, { baseDir: inventory.baseDir, env: app.process.env, signal }),
  ]);
  return planInstall({
    ...judged,
    troubles: new Map([...refusing, ...missing]),
    id: newRunId("i", app.clock.now()),
    hosts,
    revision,
    now: app.clock.now(),
    facts,
    systems,
    disko,
    digest,
  });
}

/**
 * Writes the plan down as a run; only now it can be driven, and continued by anybody. Throws `locked` when another run
 * has not finished with one of its machines.
 */
export async function recordInstall(app: App, store: Store, plan: InstallPlan): Promise<void> {
  const { signal, clock, operator } = app;
  await releaseDead(app, store);
  await startRun(store, plan, { operator, clock, signal });
}

/** Refused machines make it an error; silent ones make it "only deferred remain". */
export function verdictOf(plan: InstallPlan): ExitCode {
  if (Object.keys(plan.refusals).length > 0) return EXIT.hostsFailed;
  return plan.excluded.some((e) => e.state === "deferred") ? EXIT.hostsDeferred : EXIT.ok;
}

/** What `--check` ends with. */
export function checkedVerdict(
  plan: InstallPlan,
  o: { readonly check: boolean; readonly detailedExitcode: boolean },
): ExitCode {
  const verdict = verdictOf(plan);
  if (verdict !== EXIT.ok || !o.check || !o.detailedExitcode) return verdict;
  return plan.hosts.length > 0 ? EXIT.changes : EXIT.ok;
}

export async function carryOut(
  app: App,
  id: string,
  world: InstallWorld,
  options: InstallOptions,
  planShown: boolean,
): Promise<ExitCode> {
  const { inventory, store } = world;
  const { env, cwd } = app.process;
  const anywhere = findAnywhere(inventory, options.nixosAnywhere, { env, cwd });
  const stateDir = app.stateDir(inventory);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const run = driveInstall(
    id,
    {
      ...installSurroundings(app, world, anywhere, options),
      vault: openVault(join(stateDir, "identities")),
      secretsFor: (host) =>
        gatherSecrets(host, inventory, {
          baseDir: inventory.baseDir,
          env,
          signal: app.process.signals.abort,
        }),
      pin: pinInto(env.HOME ?? "/", inventory, world.recorded),
      parallel: options.parallel,
    },
    app.process.signals,
  );
  const failure = await follow(app, id, store, inventory, run, planShown);
  const state = replay(await store.events(id));
  if (failure !== undefined) throw failure;
  if (!state) return EXIT.error;
  const exit = exitOf(state, app.process.signals.drain.aborted) as ExitCode;
  return exit === EXIT.ok ? verdictOf(state.plan as InstallPlan) : exit;
}

/** Before anybody confirms anything: can the program do what would be asked of it? Throws `tool-missing`. */
export async function assertAnywhere(
  app: App,
  inventory: Inventory,
  stated: string | undefined,
): Promise<void> {
  const { env, cwd } = app.process;
  const { program, standIn } = findAnywhere(inventory, stated, { env, cwd });
  if (!standIn) await checkAnywhere(program, app.signal);
}

/** Shows the journal and what happens; returns what ended the run early. */
export async function follow(
  app: App,
  id: string,
  store: Store,
  inventory: Inventory,
  run: AsyncIterable<FleetEvent>,
  planShown: boolean,
): Promise<unknown> {
  const stream = new Channel<FleetEvent>();
  const view = render(app, stream, { inventory, planShown }, app.process.signals.drain);
  for (const event of await store.events(id)) stream.push(event);
  let failure: unknown;
  try {
    for await (const event of run) stream.push(event);
  } catch (error) {
    failure = error;
  }
  stream.close();
  await view;
  return failure instanceof FleetError && failure.code === "interrupted" ? await left(store, id) : failure;
}

/** Nothing reverts itself here: a machine stays in the phase it was in. */
async function left(store: Store, id: string): Promise<FleetError> {
  const state = replay(await store.events(id));
  const inHand = [...(state?.hosts.values() ?? [])]
    .filter((h) => classOf(h.state) === "busy")
    .map((h) => h.name);
  const stay = inHand.length > 0 ? `${inHand.join(", ")} stay as far as they are; ` : "";
  return new FleetError("interrupted", "interrupted", {
    hint: `${stay}go on with: ${state ? goOnCommand(state.plan) : "macula-fleet install --continue"}`,
  });
}

/** Given up on purpose, or done: neither is gone on with. */
const LEFT: ReadonlySet<string> = new Set(["succeeded", "aborted", "superseded"]);

/** The run named, or the latest that is not done. Throws `rollout-not-found`, `command-refused`, and `usage` for what is no installation. */
export async function unfinishedInstall(store: Store, id: string | undefined): Promise<string> {
  const runs = await store.runs({ kind: "install", limit: 50 });
  const run = runs.find((r) => (id === undefined ? !LEFT.has(r.state) : r.id === id));
  if (run === undefined)
    throw new FleetError(
      "rollout-not-found",
      id === undefined ? "no installation is unfinished" : `there is no installation ${id}`,
      { hint: "macula-fleet rollout history" },
    );
  if (run.state === "aborted" || run.state === "superseded")
    throw new FleetError("command-refused", `${run.id} was ${run.state}: it is not gone on with`, {
      hint: "look at its machines anew: macula-fleet install --check",
    });
  const plan = replay(await store.events(run.id))?.plan;
  // A conversion puts back what it saved: an installation would leave the node empty.
  if (plan && ("conversion" in plan || "wipes" in plan)) {
    const name = plan.hosts[0]?.name ?? "HOST";
    const is =
      "conversion" in plan
        ? `is a conversion of ${name}, not an installation`
        : `erases ${name}, it installs nothing`;
    throw new FleetError("usage", `${run.id} ${is}`, { hint: goOnCommand(plan) });
  }
  return run.id;
}
