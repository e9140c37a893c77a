import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import pMap from "p-map";
import { z } from "zod";
import type { App, Remote } from "../../app.ts";
import { Duration } from "../../app.ts";
import { EXIT, type ExitCode, FleetError, toFailure } from "../../errors.ts";
import type { HostFacts } from "../../host/protocol.ts";
import { driveInstall } from "../../install/engine.ts";
import { openVault } from "../../install/identity.ts";
import { type InstallPlan, planInstall } from "../../install/plan.ts";
import type { Host, Inventory } from "../../inventory/model.ts";
import { Channel } from "../../kernel/channel.ts";
import type { FleetEvent } from "../../rollout/events.ts";
import { digest, newRunId } from "../../rollout/launch.ts";
import { rememberHosts } from "../../rollout/remember.ts";
import { replay } from "../../rollout/state.ts";
import { exitOf } from "../../rollout/summary.ts";
import type { Store } from "../../store/store.ts";
import { replaceHostKey } from "../../transport/known-hosts-replace.ts";
import { defineCommand } from "../command.ts";
import { render } from "../follow.ts";
import { confirmErasure, findAnywhere } from "../installing.ts";
import { showPlan } from "../planning.ts";

export const command = defineCommand({
  arguments: [["[inventory]", "inventory of the machines"]],
  options: [
    ["--to <rev>", "revision to install", "the flake as it is"],
    ["--reinstall", "also machines that run this fleet already: erases them"],
    ["--nixos-anywhere <path>", "the program to use", "nixos-anywhere in PATH, else nix run"],
    ["--kexec <tarball>", "installer to start, instead of the one nixos-anywhere fetches"],
    ["--parallel <n>", "machines at the same time", "8"],
    ["--phase-deadline <duration>", "give a phase up after this long", "10m to 60m by phase"],
    ["--check", "only show what would be done, and what would be erased"],
    ["--plan-hash <hash>", "with --yes: only if the plan still has this hash"],
    ["--continue [id]", "go on with an installation that was interrupted or failed; default: the latest"],
  ],
  examples: [
    "macula-fleet install inventory.yaml --check",
    "macula-fleet install inventory.yaml --limit node-07",
    "macula-fleet install --continue",
  ],
  schema: z.object({
    to: z.string().optional(),
    reinstall: z.boolean().default(false),
    nixosAnywhere: z.string().optional(),
    kexec: z.string().optional(),
    parallel: z.coerce.number().int().min(1).default(8),
    phaseDeadline: Duration.optional(),
    check: z.boolean().default(false),
    planHash: z.string().optional(),
    continue: z.union([z.boolean(), z.string()]).default(false),
  }),
  async run(app, { args, options }) {
    const inventory = await app.inventory(args[0], "install");
    const store = await app.store(inventory);
    const remote = await app.remote(inventory);
    if (options.continue !== false) {
      const id = await unfinished(store, options.continue === true ? undefined : options.continue);
      return carryOut(app, id, inventory, store, remote, options, false);
    }
    const plan = await makePlan(app, inventory, store, remote, options);
    const machine = app.format === "json" || app.format === "ndjson";
    if (options.check || plan.hosts.length === 0) {
      if (machine) app.json(plan);
      else await showPlan(app, inventory, plan, { to: "stdout", all: true });
      return verdictOf(plan);
    }
    if (options.planHash !== undefined && options.planHash !== plan.hash) {
      throw new FleetError("plan-stale", "the machines are not what they were when this hash was made", {
        hint: "look again: macula-fleet install --check",
      });
    }
    if (!machine) await showPlan(app, inventory, plan, { to: "stderr", all: true });
    await confirmErasure(app, plan);
    await store.create({
      id: plan.id,
      kind: "install",
      revision: plan.revision,
      state: "planned",
      operator: app.operator,
      createdAt: app.clock.now(),
      hosts: plan.hosts.length,
    });
    await store.append(
      plan.id,
      0,
      [
        {
          type: "plan",
          level: "info",
          msg: `install ${plan.revision} on ${plan.hosts.length} machines`,
          data: { plan },
        },
      ],
      { now: app.clock.now() },
    );
    return carryOut(app, plan.id, inventory, store, remote, options, true);
  },
});

interface Options {
  readonly to?: string | undefined;
  readonly reinstall: boolean;
  readonly nixosAnywhere?: string | undefined;
  readonly kexec?: string | undefined;
  readonly parallel: number;
  readonly phaseDeadline?: number | undefined;
}

/** Refused machines make it an error; silent ones make it "only deferred remain". */
function verdictOf(plan: InstallPlan): ExitCode {
  if (Object.keys(plan.refusals).length > 0) return EXIT.hostsFailed;
  return plan.excluded.some((e) => e.state === "deferred") ? EXIT.hostsDeferred : EXIT.ok;
}

async function makePlan(
  app: App,
  inventory: Inventory,
  store: Store,
  remote: Remote,
  options: Options,
): Promise<InstallPlan> {
  const hosts = await app.hosts(inventory, store);
  const { signal } = app;
  const facts = new Map<string, HostFacts>();
  const silent = new Map<string, string>();
  const look = async (host: Host) => {
    try {
      facts.set(host.name, await remote.driver.facts(host, { signal }));
    } catch (error) {
      signal.throwIfAborted();
      silent.set(host.name, toFailure(error).message);
    }
  };
  const built = hosts.filter((h) => h.os !== "k3os");
  const revision = await remote.closures.revision(options.to, { signal });
  const [, systems, disko] = await Promise.all([
    pMap(built, look, { concurrency: app.globals.forks, signal }),
    remote.closures.build(built, revision, { signal }),
    remote.closures.disko(built, revision, { signal }),
  ]);
  return planInstall({
    id: newRunId("i", app.clock.now()),
    inventory,
    hosts,
    revision,
    now: app.clock.now(),
    facts,
    silent,
    systems,
    disko,
    reinstall: options.reinstall,
    digest,
  });
}

async function carryOut(
  app: App,
  id: string,
  inventory: Inventory,
  store: Store,
  remote: Remote,
  options: Options,
  planShown: boolean,
): Promise<ExitCode> {
  const stream = new Channel<FleetEvent>();
  const view = render(app, stream, { inventory, planShown });
  for (const event of await store.events(id)) stream.push(event);
  const stateDir = app.stateDir(inventory);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const writes: { tail: Promise<void> } = { tail: Promise.resolve() };
  const run = driveInstall(
    id,
    {
      store,
      clock: app.clock,
      owner: app.operator,
      driver: remote.driver,
      hosts: remote.performer.hosts,
      checks: remote.performer.checks,
      targetOf: remote.targetOf,
      vault: openVault(join(stateDir, "identities")),
      secretsFor: async () => new Map(),
      pin: (host, identity) => {
        const file = host.ssh.knownHostsFile ?? join(app.process.env.HOME ?? "/", ".ssh", "known_hosts");
        // One file, many machines: one write at a time.
        writes.tail = writes.tail.then(async () => {
          await mkdir(dirname(file), { recursive: true, mode: 0o700 });
          await replaceHostKey(file, host.address, host.port, identity.publicKey);
        });
        return writes.tail;
      },
      program: await findAnywhere(inventory, options.nixosAnywhere, app.process.env),
      ...(options.kexec === undefined ? {} : { kexec: options.kexec }),
      parallel: options.parallel,
      ...(options.phaseDeadline === undefined ? {} : { patience: options.phaseDeadline / (20 * 60_000) }),
    },
    app.process.signals,
  );
  let failure: unknown;
  try {
    for await (const event of run) stream.push(event);
  } catch (error) {
    failure = error;
  }
  stream.close();
  await view;
  const state = replay(await store.events(id));
  if (state) await rememberHosts(store, state, app.clock.now());
  if (failure !== undefined) throw failure;
  if (!state) return EXIT.error;
  const exit = exitOf(state, app.process.signals.drain.aborted) as ExitCode;
  return exit === EXIT.ok ? verdictOf(state.plan as InstallPlan) : exit;
}

async function unfinished(store: Store, id: string | undefined): Promise<string> {
  const runs = await store.runs({ kind: "install", limit: 50 });
  const run = id === undefined ? runs.find((r) => r.state !== "succeeded") : runs.find((r) => r.id === id);
  if (run) return run.id;
  throw new FleetError(
    "rollout-not-found",
    id === undefined ? "no installation is unfinished" : `there is no installation ${id}`,
    { hint: "macula-fleet rollout history" },
  );
}
