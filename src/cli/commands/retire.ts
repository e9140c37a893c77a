import { join, resolve } from "node:path";
import { z } from "zod";
import type { App, Remote } from "../../app.ts";
import { archiveKey } from "../../convert/backup/keys.ts";
import { withHostField } from "../../discover/adopt.ts";
import { EXIT, FleetError } from "../../errors.ts";
import type { Host, Inventory } from "../../inventory/model.ts";
import { planRetire, type RetirePlan } from "../../retire/plan.ts";
import { openProgress, type Progress } from "../../retire/progress.ts";
import { retire } from "../../retire/retire.ts";
import type { WipePlan } from "../../retire/wipe.ts";
import { digest, newRunId } from "../../rollout/launch.ts";
import { defineCommand } from "../command.ts";
import { assertAnywhere } from "../install-run.ts";
import { confirmErasure } from "../installing.ts";
import { editInventory } from "../inventory-file.ts";
import { withLease } from "../lease.ts";
import { driveWipe, makeWipePlan } from "../wiping.ts";
import { localTarball } from "./install.ts";

export const command = defineCommand({
  arguments: [["<host>", "the host that is to go"]],
  options: [
    ["--check", "only show what would be done, and whose systems change"],
    ["--backup", "copy its state here first, encrypted, as a conversion does"],
    ["--archive-dir <dir>", "where that archive goes", "beside the fleet's state"],
    ["--wipe", "at the end: erase the disk the inventory names, switch the machine off"],
    ["--gone", "it does not exist any more: only its cluster and the inventory are told"],
    ["--drain <seconds>", "how long its pods may take to leave", "300"],
    ["--plan-hash <hash>", "with --wipe and --yes: only if the plan still has this hash"],
    ["--nixos-anywhere <path>", "the program to use", "nixos-anywhere in PATH, else nix run"],
    ["--kexec <tarball>", "installer to start, instead of the one nixos-anywhere fetches"],
  ],
  examples: [
    "macula-fleet retire node-02 --check",
    "macula-fleet retire node-02 --backup",
    "macula-fleet retire node-02 --backup --wipe",
  ],
  schema: z
    .object({
      check: z.boolean().default(false),
      backup: z.boolean().default(false),
      archiveDir: z.string().optional(),
      wipe: z.boolean().default(false),
      gone: z.boolean().default(false),
      drain: z.coerce.number().int().positive().default(300),
      planHash: z.string().optional(),
      nixosAnywhere: z.string().optional(),
      kexec: z.string().optional(),
    })
    .refine((o) => !(o.gone && (o.backup || o.wipe)), {
      path: ["gone"],
      error: "says that the machine is not there: it can be neither backed up nor wiped",
    }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const host = inventory.hosts.find((h) => h.name === args[0]);
    if (!host)
      throw new FleetError("limit-no-match", `the inventory has no host ${args[0]}`, {
        hint: "macula-fleet inventory list",
      });
    const progress = await progressOf(app, inventory, host);
    const plan = planRetire(host, inventory, options);
    const open = plan.steps.filter((s) => !progress.has(s.step));
    if (host.state === "retired" && (open.length === 0 || progress.state.done.inventory === undefined)) {
      app.note(`${host.name} is retired already`);
      return EXIT.ok;
    }
    const remote = await app.remote(inventory);
    const wiping = {
      ...options,
      ...(options.kexec === undefined ? {} : { kexec: localTarball(app.process.cwd, options.kexec) }),
    };
    const wipe = open.some((s) => s.step === "wipe")
      ? await makeWipePlan(app, inventory, remote, host, progress.state.wipeRun)
      : null;
    const refusals = [...plan.refusals, ...(wipe?.refusals[host.name] ?? [])];
    const hash = wipe === null ? null : digest(JSON.stringify([plan, wipe.hash]));
    const shown = { ...plan, refusals, done: progress.state.done, ...(hash === null ? {} : { hash, wipe }) };
    if (app.format === "json" || app.format === "ndjson") app.json(shown);
    else app.print(planText({ ...plan, refusals }, progress, wipe, hash));
    if (refusals.length > 0) return EXIT.error;
    if (wipe?.hosts.length === 0) throw cannotWipe(wipe, host);
    if (options.check) return EXIT.ok;
    if (options.planHash !== undefined && options.planHash !== hash)
      throw new FleetError("plan-stale", `${host.name} is not what it was when this hash was made`, {
        hint: `look again: macula-fleet retire ${host.name} --wipe --check`,
      });
    if (!(await confirmed(app, inventory, host, wipe, hash, options.planHash))) return EXIT.error;
    if (wipe !== null) await assertAnywhere(app, inventory, options.nixosAnywhere);
    await carryOut(app, { inventory, remote, host, plan, progress, wipe, options: wiping });
    return EXIT.ok;
  },
});

interface Work {
  readonly inventory: Inventory;
  readonly remote: Remote;
  readonly host: Host;
  readonly plan: RetirePlan;
  readonly progress: Progress;
  readonly wipe: WipePlan | null;
  readonly options: {
    readonly archiveDir?: string | undefined;
    readonly drain: number;
    readonly nixosAnywhere?: string | undefined;
    readonly kexec?: string | undefined;
  };
}

async function carryOut(app: App, w: Work): Promise<void> {
  const { inventory, remote, host, progress, options } = w;
  const store = await app.store(inventory);
  const stateDir = app.stateDir(inventory);
  const archives = options.archiveDir;
  await withLease(app, store, `host:${host.name}`, () =>
    retire(host, w.plan, {
      hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
      connect: (h, signal) => remote.pool.fresh(remote.targetOf(h), signal),
      progress,
      key: () => archiveKey(join(stateDir, "identities")),
      archiveDir: archives === undefined ? join(stateDir, "archives") : resolve(app.process.cwd, archives),
      id: newRunId("i", app.clock.now()),
      drainSeconds: options.drain,
      markRetired: async () => {
        const { file } = host.source;
        await editInventory(file, (text) => withHostField(text, host.name, ["state"], "retired"));
        app.note(`${host.name} is retired in ${file}`);
      },
      wipe: async () => {
        if (w.wipe === null) return;
        await driveWipe(app, { inventory, store, remote }, host, w.wipe, options, (id) =>
          progress.note({ wipeRun: id }),
        );
      },
      note: (text) => app.note(text),
      signal: app.signal,
    }),
  );
  for (const left of w.plan.afterwards) app.note(`left to do: ${left}`);
}

/** Of a host that was brought back since nothing is remembered. */
async function progressOf(app: App, inventory: Inventory, host: Host): Promise<Progress> {
  const file = join(app.stateDir(inventory), "retire", `${host.name}.json`);
  const progress = await openProgress(file, host.name, () => app.clock.now());
  const finished = progress.has("inventory") && host.state !== "retired";
  if (finished) await progress.forget();
  return progress;
}

async function confirmed(
  app: App,
  inventory: Inventory,
  host: Host,
  wipe: WipePlan | null,
  hash: string | null,
  given: string | undefined,
): Promise<boolean> {
  if (wipe === null) return app.confirm(`Retire ${host.name} as shown?`);
  await confirmErasure(app, inventory, { ...wipe, hash: hash ?? "" }, given, ["retire", host.name, "--wipe"]);
  return true;
}

function cannotWipe(wipe: WipePlan, host: Host): FleetError {
  const why = wipe.excluded.find((e) => e.host === host.name)?.reason ?? "it cannot be erased";
  return new FleetError("install-refused", `${host.name} cannot be wiped: ${why}`, {
    hint: "retire it without --wipe, and erase its disk by hand",
  });
}

function planText(plan: RetirePlan, progress: Progress, wipe: WipePlan | null, hash: string | null): string {
  const disk = wipe?.targets[plan.host]?.disk;
  const names = disk ? `${disk.path} ${disk.model} ${disk.serial}`.trim() : "";
  return [
    `retire ${plan.host}`,
    ...plan.refusals.flatMap((r) => [`  refused  ${r.message}`, `           fix: ${r.fix}`]),
    ...(plan.affected.length > 0 ? [`  changes  ${plan.affected.join(", ")} with the next rollout`] : []),
    ...(plan.refusals.length > 0
      ? []
      : [
          ...plan.steps.map(
            ({ step, does }, i) => `  ${i + 1}. ${does}${progress.has(step) ? "  (done)" : ""}`,
          ),
          ...(names === ""
            ? []
            : [`     disk: ${names}${disk?.contents.length ? ` (${disk.contents.join(", ")})` : ""}`]),
          ...plan.afterwards.map((a) => `  left to do: ${a}`),
        ]),
    ...(hash === null ? [] : [`plan hash: ${hash}`]),
  ].join("\n");
}
