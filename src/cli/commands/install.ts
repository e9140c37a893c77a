import { resolve } from "node:path";
import { z } from "zod";
import { Duration } from "../../globals.ts";
import { defineCommand, type OptionSpec } from "../command.ts";
import { awaitFree } from "../controllers.ts";
import {
  assertAnywhere,
  carryOut,
  checkedVerdict,
  makeInstallPlan,
  recordInstall,
  unfinishedInstall,
} from "../install-run.ts";
import { assertHash, commandLine, confirmErasure, option, showInstallPlan } from "../installing.ts";
import { announcePins } from "../pinning.ts";

/** Shared with `replace`. */
export const INSTALL_OPTIONS: readonly OptionSpec[] = [
  ["--to <rev>", "revision to install", "the flake as it is"],
  ["--nixos-anywhere <path>", "the program to use", "nixos-anywhere in PATH, else nix run"],
  ["--kexec <tarball>", "installer to start, instead of the one nixos-anywhere fetches"],
  ["--phase-deadline <duration>", "give a phase up after this long", "10m to 60m by phase"],
  ["--check", "only show what would be done, and what would be erased"],
  ["--detailed-exitcode", "with --check: exit 2 when there is a machine to install"],
  ["--plan-hash <hash>", "with --yes: only if the plan still has this hash"],
];

export const installSchema = {
  to: z.string().optional(),
  nixosAnywhere: z.string().optional(),
  kexec: z.string().optional(),
  phaseDeadline: Duration.optional(),
  check: z.boolean().default(false),
  detailedExitcode: z.boolean().default(false),
  planHash: z.string().optional(),
};

/** Those that were given, as they are typed. */
export const installWords = (o: {
  readonly to?: string | undefined;
  readonly nixosAnywhere?: string | undefined;
  readonly kexec?: string | undefined;
}): readonly string[] => [
  ...option("--to", o.to),
  ...option("--nixos-anywhere", o.nixosAnywhere),
  ...option("--kexec", o.kexec),
];

export const command = defineCommand({
  arguments: [["[inventory]", "inventory of the machines"]],
  options: [
    ...INSTALL_OPTIONS,
    ["--reinstall", "also machines that run NixOS already: erases them"],
    ["--parallel <n>", "machines at the same time", "8"],
    ["--continue [id]", "go on with an installation that was interrupted or failed; default: the latest"],
  ],
  examples: [
    "macula-fleet install inventory.yaml --check",
    "macula-fleet install inventory.yaml --limit node-07",
    "macula-fleet install --continue",
  ],
  schema: z.object({
    ...installSchema,
    reinstall: z.boolean().default(false),
    parallel: z.coerce.number().int().min(1).default(8),
    continue: z.union([z.boolean(), z.string()]).default(false),
  }),
  async run(app, { args, options: given }) {
    const options =
      given.kexec === undefined ? given : { ...given, kexec: localTarball(app.process.cwd, given.kexec) };
    const inventory = await app.inventory(args[0], "install");
    const store = await app.store(inventory);
    const remote = await app.remote(inventory);
    const world = { inventory, store, remote };
    if (options.continue !== false) {
      const id = await unfinishedInstall(store, options.continue === true ? undefined : options.continue);
      await awaitFree(app, store, id);
      await assertAnywhere(app, inventory, options.nixosAnywhere);
      return carryOut(app, id, world, options, false);
    }
    const plan = await makeInstallPlan(app, world, await app.hosts(inventory, store), options);
    await announcePins(app, plan, inventory);
    const words = ["install", args[0], options.reinstall && "--reinstall", ...installWords(options)];
    const machine = app.format === "json" || app.format === "ndjson";
    assertHash(plan, options.planHash, commandLine(app, [...words, "--check"]));
    if (options.check || plan.hosts.length === 0) {
      if (machine) app.json(plan);
      else showInstallPlan(app, inventory, plan, "stdout");
      return checkedVerdict(plan, options);
    }
    await assertAnywhere(app, inventory, options.nixosAnywhere);
    if (!machine) showInstallPlan(app, inventory, plan, "stderr");
    await confirmErasure(app, inventory, plan, options.planHash, words);
    await recordInstall(app, store, plan);
    return carryOut(app, plan.id, world, options, true);
  },
});

/** nixos-anywhere runs in a directory of its own: a local file needs its whole path; an address stays as it is. */
export const localTarball = (cwd: string, kexec: string): string =>
  /^[a-z]+:\/\//.test(kexec) ? kexec : resolve(cwd, kexec);
