import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import type { App } from "../../app.ts";
import { backupOf, driveConvert, statesOf } from "../../convert/engine.ts";
import { proofsFile } from "../../convert/phases.ts";
import { type ConversionPlan, isRefused } from "../../convert/plan.ts";
import { undo } from "../../convert/prepare.ts";
import { reachedBy, recoveryFrom } from "../../convert/recovery.ts";
import { proofLines } from "../../convert/view.ts";
import { EXIT, type ExitCode, FleetError } from "../../errors.ts";
import { Duration } from "../../globals.ts";
import { runMoved } from "../../rollout/bodies.ts";
import type { FleetEvent } from "../../rollout/events.ts";
import { replay } from "../../rollout/state.ts";
import { exitOf } from "../../rollout/summary.ts";
import { createPaint } from "../../ui/paint.ts";
import { defineCommand } from "../command.ts";
import { awaitFree } from "../controllers.ts";
import { conversionPlanLines } from "../convert-view.ts";
import { type ConvertOptions, type ConvertWorld, convertDeps, makeConversionPlan } from "../converting.ts";
import { assertAnywhere, follow, recordInstall } from "../install-run.ts";
import { assertHash, confirmErasure } from "../installing.ts";
import { withLease } from "../lease.ts";
import { localTarball } from "./install.ts";

export const command = defineCommand({
  arguments: [["<host>", "a running k3OS node of the inventory"]],
  options: [
    ["--plan", "only look: what is kept, what needs a human, what would refuse; exit 5 if anything does"],
    ["--to <rev>", "revision to install", "the flake as it is"],
    ["--archive-dir <dir>", "where its encrypted archive goes", "beside the fleet's state"],
    ["--carry-datastore", "move the cluster's datastore instead of starting a fresh one"],
    ["--workloads-in-git", "the workloads come back from git: a fresh cluster loses nothing"],
    ["--volumes-limit <gib>", "refuse when its volumes hold more", "50"],
    ["--mbps <n>", "speed of the line to it, for the estimate", "100"],
    ["--nixos-anywhere <path>", "the program to use", "nixos-anywhere in PATH, else nix run"],
    ["--kexec <tarball>", "installer to start, instead of the one nixos-anywhere fetches"],
    [
      "--phase-deadline <duration>",
      "give a phase up after this long",
      "10m to 60m by phase, a day to copy back",
    ],
    ["--plan-hash <hash>", "with --yes: only if the plan still has this hash"],
    ["--accept-open", "go on although some things need a human: they are in the archive"],
    ["--continue", "go on with the conversion that was interrupted or failed"],
    ["--undo", "put k3OS back into service, while its disk is untouched"],
  ],
  examples: [
    "macula-fleet convert riga-peer-02 --plan",
    "macula-fleet convert riga-peer-02",
    "macula-fleet convert riga-peer-02 --continue",
  ],
  schema: z.object({
    plan: z.boolean().default(false),
    to: z.string().optional(),
    archiveDir: z.string().optional(),
    carryDatastore: z.boolean().default(false),
    workloadsInGit: z.boolean().default(false),
    volumesLimit: z.coerce.number().positive().default(50),
    mbps: z.coerce.number().positive().default(100),
    nixosAnywhere: z.string().optional(),
    kexec: z.string().optional(),
    phaseDeadline: Duration.optional(),
    planHash: z.string().optional(),
    acceptOpen: z.boolean().default(false),
    continue: z.boolean().default(false),
    undo: z.boolean().default(false),
  }),
  async run(app, { args, options: given }) {
    const { cwd } = app.process;
    const options = {
      ...given,
      ...(given.kexec === undefined ? {} : { kexec: localTarball(cwd, given.kexec) }),
      ...(given.archiveDir === undefined ? {} : { archiveDir: resolve(cwd, given.archiveDir) }),
    };
    const world = await worldOf(app, args[0] ?? "");
    if (options.undo) return takeBack(app, world);
    if (options.continue) {
      const id = await latest(world);
      await awaitFree(app, world.store, id);
      await assertAnywhere(app, world.inventory, options.nixosAnywhere);
      return drive(app, id, world, options, false);
    }
    const plan = await makeConversionPlan(app, world, options);
    const { conversion } = plan;
    const machine = app.format === "json" || app.format === "ndjson";
    const shown = () => conversionPlanLines(plan).map(createPaint(app.color)).join("\n");
    const open = conversion.needsHuman.length > 0 && !options.acceptOpen;
    if (options.plan || isRefused(conversion) || open) {
      if (machine) app.json(plan);
      else app.print(shown());
      if (options.plan)
        return isRefused(conversion) || conversion.needsHuman.length > 0 ? EXIT.paused : EXIT.ok;
      throw isRefused(conversion)
        ? new FleetError("install-refused", `${conversion.host} cannot be converted now`, {
            hint: "each reason above says what would help",
          })
        : new FleetError("needs-human", `${conversion.needsHuman.length} things need a human first`, {
            hint: "settle them in the inventory and the flake, then say --accept-open",
          });
    }
    assertHash(plan, options.planHash, `macula-fleet convert ${conversion.host} --plan`);
    // What installs at the end must be there before anything is stopped.
    await assertAnywhere(app, world.inventory, options.nixosAnywhere);
    if (!machine) app.note(shown());
    await confirmErasure(app, world.inventory, plan, options.planHash, ["convert", conversion.host]);
    await recordInstall(app, world.store, plan);
    return drive(app, plan.id, world, options, true);
  },
});

async function worldOf(app: App, name: string): Promise<ConvertWorld> {
  const inventory = await app.inventory(undefined, "install");
  const host = inventory.hosts.find((h) => h.name === name);
  if (!host)
    throw new FleetError("usage", `there is no host ${name} in the inventory`, {
      hint: `read it in first: macula-fleet import ${name}`,
    });
  if (host.os !== "k3os")
    throw new FleetError("usage", `the inventory says that ${name} runs ${host.os}`, {
      hint: "os: k3os marks what may be converted; macula-fleet install is for other machines",
    });
  if (!host.convert)
    throw new FleetError("usage", `the inventory says not to convert ${name}`, {
      hint: "convert: true allows it",
    });
  return { inventory, store: await app.store(inventory), remote: await app.remote(inventory), host };
}

async function drive(
  app: App,
  id: string,
  world: ConvertWorld,
  options: ConvertOptions,
  planShown: boolean,
): Promise<ExitCode> {
  const deps = await convertDeps(app, world, options);
  const failure = await follow(
    app,
    id,
    world.store,
    world.inventory,
    driveConvert(id, deps, app.process.signals),
    planShown,
  );
  const events = await world.store.events(id);
  await showProofs(app, events, world.host.name);
  if (failure !== undefined) throw failure;
  const state = replay(events);
  if (state?.status === "failed") {
    const { says } = await recovery(events, world.host.name);
    // What failed before the archive was made has said so with its cause.
    const failure = state.hosts.get(world.host.name)?.failure;
    if (!failure?.hint?.includes(says)) app.note(says);
  }
  return state ? (exitOf(state, app.process.signals.drain.aborted) as ExitCode) : EXIT.error;
}

async function showProofs(app: App, events: readonly FleetEvent[], host: string): Promise<void> {
  const backup = await backupOf(events, host).catch(() => null);
  if (backup === null) return;
  const text = await readFile(proofsFile(backup.file), "utf8").catch(() => null);
  if (text !== null) for (const line of proofLines(JSON.parse(text))) app.note(line);
  app.note(
    `archive: ${backup.file} (sha256 of its content ${backup.sha256}); keep it until you miss nothing`,
  );
}

/** The latest conversion of this host that is not done. */
async function latest({ store, host }: ConvertWorld): Promise<string> {
  for (const run of await store.runs({ kind: "install", limit: 50 })) {
    if (run.state === "succeeded" || run.state === "aborted") continue;
    const plan = replay(await store.events(run.id))?.plan as Partial<ConversionPlan> | undefined;
    if (plan?.conversion?.host === host.name) return run.id;
  }
  throw new FleetError("rollout-not-found", `no conversion of ${host.name} is unfinished`, {
    hint: `start one: macula-fleet convert ${host.name} --plan`,
  });
}

/** Never beside another controller: it may be copying what k3OS would change. */
async function takeBack(app: App, world: ConvertWorld): Promise<ExitCode> {
  const { store, remote, inventory, host } = world;
  const id = await latest(world);
  await awaitFree(app, store, id);
  return withLease(app, store, `run:${id}`, async ({ fence }) => {
    const events = await store.events(id);
    const { canUndo, says, archive } = await recovery(events, host.name);
    if (!canUndo) throw new FleetError("install-refused", says);
    const state = replay(events);
    if (!state) throw new FleetError("rollout-not-found", `there is no run ${id}`);
    await undo(
      state.plan as ConversionPlan,
      host,
      {
        install: { hosts: new Map(inventory.hosts.map((h) => [h.name, h])) },
        connect: (h, signal) => remote.pool.fresh(remote.targetOf(h), signal),
      },
      app.signal,
    );
    const end = runMoved(state, "aborted", "k3OS serves again");
    await store.append(id, state.lastSeq, [end], { now: app.clock.now(), fence });
    app.note(`${host.name} serves as before; its archive is kept${archive ? `: ${archive}` : ""}`);
    return EXIT.ok;
  });
}

/** Where the journal says the node got to, and what that allows. */
async function recovery(events: readonly FleetEvent[], host: string) {
  const archive = (await backupOf(events, host).catch(() => null))?.file ?? null;
  return { ...recoveryFrom(reachedBy(statesOf(events, host)), host, archive), archive };
}
