/** What `install` needs of the operator and of this machine. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { App } from "../app.ts";
import { FleetError } from "../errors.ts";
import { findProgram } from "../install/anywhere/find-program.ts";
import { type InstallPlan, type InstallTarget, losesData } from "../install/plan.ts";
import type { Inventory } from "../inventory/model.ts";
import { quote } from "../kernel/shell.ts";
import { labLayout } from "../lab/layout.ts";
import { createPaint } from "../ui/paint.ts";
import { labLine } from "../ui/view/lab.ts";
import { installPlanLines } from "./install-view.ts";

export interface AnywhereProgram {
  readonly program: readonly string[];
  /** The lab's own, which runs no ssh. */
  readonly standIn: boolean;
}

/** nixos-anywhere as stated, as the lab's stand-in, from PATH, or through Nix. Throws `tool-missing`. */
export function findAnywhere(
  inventory: Inventory,
  stated: string | undefined,
  o: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): AnywhereProgram {
  if (stated !== undefined) {
    const path = resolve(o.cwd, stated);
    if (!existsSync(path))
      throw new FleetError("tool-missing", `${stated} does not exist`, {
        hint: "name nixos-anywhere with --nixos-anywhere PATH",
      });
    return { program: [path], standIn: false };
  }
  if (inventory.lab?.backend === "sim")
    return { program: [labLayout(inventory.lab.dir).nixosAnywhere], standIn: true };
  const found = findProgram("nixos-anywhere", o.env.PATH);
  if (found) return { program: [found], standIn: false };
  const nix = findProgram("nix", o.env.PATH);
  if (nix) {
    const features = ["--extra-experimental-features", "nix-command flakes"];
    const flake = "github:nix-community/nixos-anywhere";
    return { program: [nix, ...features, "run", flake, "--"], standIn: false };
  }
  throw new FleetError("tool-missing", "neither nixos-anywhere nor nix is on this machine", {
    hint: "install Nix, or name nixos-anywhere with --nixos-anywhere PATH",
  });
}

export function showInstallPlan(
  app: App,
  inventory: Inventory,
  plan: InstallPlan,
  to: "stdout" | "stderr",
): void {
  const lines = [...(inventory.lab ? [labLine()] : []), ...installPlanLines(plan)];
  const text = lines.map(createPaint(app.color)).join("\n");
  if (to === "stdout") app.print(text);
  else app.note(text);
}

/** Throws `plan-stale` when it is not the plan that somebody has looked at. */
export function assertHash(plan: InstallPlan, stated: string | undefined, look: string): void {
  if (stated === undefined || stated === plan.hash) return;
  throw new FleetError(
    "plan-stale",
    "this is not the plan that the hash was made of: something has changed",
    {
      hint: `look again: ${look}`,
    },
  );
}

/** What one types to mean the same fleet and the same hosts. */
export function commandLine(app: App, words: readonly (string | undefined | false)[]): string {
  const { limit } = app.globals;
  const said = words.filter((w) => typeof w === "string").map(quote);
  return ["macula-fleet", ...said, ...(limit === undefined ? [] : ["--limit", quote(limit)]), app.fleetFlags]
    .filter((w) => w !== "")
    .join(" ");
}

/** An option that was given, as it is typed. */
export const option = (name: string, value: string | undefined): readonly string[] =>
  value === undefined ? [] : [name, value];

const disksLost = ({ disk, data }: InstallTarget): readonly string[] =>
  [disk, ...data.filter((d) => d.becomes === "erased")].flatMap((d) => d?.path ?? []);

/**
 * Each machine is typed by name on a terminal. With `--yes` nobody is asked; but where something would be lost, outside
 * of a lab, `--yes` counts only together with the hash of the plan that somebody has looked at.
 */
export async function confirmErasure(
  app: App,
  inventory: Inventory,
  plan: InstallPlan,
  planHash: string | undefined,
  words: readonly (string | undefined | false)[],
): Promise<void> {
  const erased = plan.hosts.filter((h) => {
    const target = plan.targets[h.name];
    return target !== undefined && losesData(target);
  });
  const again = `look at the plan, then: ${commandLine(app, [...words, "--yes", "--plan-hash", plan.hash])}`;
  if (app.globals.yes) {
    if (planHash !== undefined || inventory.lab || erased.length === 0) return;
    throw new FleetError(
      "needs-confirmation",
      `${erased.map((h) => h.name).join(", ")}: what they run or hold would be lost, so --yes needs the hash of the plan`,
      { hint: again },
    );
  }
  const { stdin, stdout } = app.process;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new FleetError(
      "needs-confirmation",
      `${plan.hosts.length} machines would be erased, and nobody can be asked here`,
      { hint: again },
    );
  }
  const { text, isCancel } = await import("@clack/prompts");
  for (const host of plan.hosts) {
    const target = plan.targets[host.name];
    const disks = target ? disksLost(target) : [];
    const answer = await text({
      message: `${disks.join(" and ") || "its disk"} of ${host.name} will be ERASED. Type the name of the machine to go on:`,
      signal: app.signal,
    });
    if (isCancel(answer)) throw new FleetError("interrupted", "interrupted: nothing was changed");
    if (answer !== host.name)
      throw new FleetError("needs-confirmation", `not confirmed for ${host.name}: nothing was changed`);
  }
}
