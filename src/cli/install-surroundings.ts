/** What an installation, a conversion and an erasure have in common: this machine, this fleet, nixos-anywhere. */
import { join } from "node:path";
import type { App, Remote } from "../app.ts";
import type { InstallDeps } from "../install/engine.ts";
import { addressHints } from "../install/hints.ts";
import type { Inventory } from "../inventory/model.ts";
import type { Store } from "../store/store.ts";
import type { AnywhereProgram } from "./installing.ts";

export interface FleetWorld {
  readonly inventory: Inventory;
  readonly store: Store;
  readonly remote: Remote;
}

export interface PhaseOptions {
  readonly kexec?: string | undefined;
  /** ms. */
  readonly phaseDeadline?: number | undefined;
}

export function installSurroundings(
  app: App,
  { inventory, store, remote }: FleetWorld,
  anywhere: AnywhereProgram,
  { kexec, phaseDeadline }: PhaseOptions,
): Omit<InstallDeps, "vault" | "secretsFor" | "pin" | "parallel"> {
  const stateDir = app.stateDir(inventory);
  return {
    ...anywhere,
    store,
    clock: app.clock,
    owner: app.operator,
    driver: remote.driver,
    hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
    checks: remote.performer.checks,
    targetOf: remote.targetOf,
    hints: inventory.lab?.backend === "sim" ? async () => [] : addressHints,
    pathVariable: app.process.env.PATH,
    workDir: join(stateDir, "work"),
    logDir: join(stateDir, "logs"),
    ...(kexec === undefined ? {} : { kexec }),
    ...(phaseDeadline === undefined ? {} : { phaseDeadlineMs: phaseDeadline }),
  };
}
