/** What `install` needs of the operator and of this machine. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { App } from "../app.ts";
import { FleetError } from "../errors.ts";
import type { InstallPlan } from "../install/plan.ts";
import type { Inventory } from "../inventory/model.ts";
import { labLayout } from "../lab/layout.ts";

/** nixos-anywhere as stated, as the lab's stand-in, from PATH, or through Nix. */
export async function findAnywhere(
  inventory: Inventory,
  stated: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly string[]> {
  if (stated !== undefined) {
    if (!existsSync(stated))
      throw new FleetError("tool-missing", `${stated} does not exist`, {
        hint: "name nixos-anywhere with --nixos-anywhere PATH",
      });
    return [stated];
  }
  if (inventory.lab?.backend === "sim") return [labLayout(inventory.lab.dir).nixosAnywhere];
  const path = (env.PATH ?? "").split(delimiter).filter((dir) => dir !== "");
  const inPath = (name: string) => path.map((dir) => join(dir, name)).find((file) => existsSync(file));
  const found = inPath("nixos-anywhere");
  if (found) return [found];
  const nix = inPath("nix");
  if (nix)
    return [
      nix,
      "--extra-experimental-features",
      "nix-command flakes",
      "run",
      "github:nix-community/nixos-anywhere",
      "--",
    ];
  throw new FleetError("tool-missing", "neither nixos-anywhere nor nix is on this machine", {
    hint: "install Nix, or name nixos-anywhere with --nixos-anywhere PATH",
  });
}

/** Each machine is typed by name on a terminal; elsewhere `--yes` must be said. */
export async function confirmErasure(app: App, plan: InstallPlan): Promise<void> {
  if (app.globals.yes) return;
  const { stdin, stdout } = app.process;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new FleetError(
      "needs-confirmation",
      `${plan.hosts.length} machines would be erased, and nobody can be asked here`,
      {
        hint: `look at it with --check, then: macula-fleet install --yes --plan-hash ${plan.hash}`,
      },
    );
  }
  const { text, isCancel } = await import("@clack/prompts");
  for (const host of plan.hosts) {
    const disk = plan.targets[host.name]?.disk;
    const answer = await text({
      message: `${disk?.path ?? "its disk"} of ${host.name} will be ERASED. Type the name of the machine to go on:`,
      signal: app.signal,
    });
    if (isCancel(answer) || answer !== host.name)
      throw new FleetError("needs-confirmation", `not confirmed for ${host.name}: nothing was changed`);
  }
}
