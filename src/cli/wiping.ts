/** Planning and driving the erasure of a retired machine for the command line. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { App, Remote } from "../app.ts";
import { FleetError } from "../errors.ts";
import { driveInstall } from "../install/engine.ts";
import type { IdentityVault } from "../install/identity.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import { Secret } from "../kernel/secret.ts";
import { planWipe, type WipePlan, wipePhases } from "../retire/wipe.ts";
import { digest, newRunId } from "../rollout/launch.ts";
import { replay } from "../rollout/state.ts";
import { recordInstall } from "./install-run.ts";
import { type FleetWorld, installSurroundings } from "./install-surroundings.ts";
import { findAnywhere } from "./installing.ts";

/** The one an earlier attempt has begun with, or a new one from what the machine is now. */
export async function makeWipePlan(
  app: App,
  inventory: Inventory,
  remote: Remote,
  host: Host,
  begun: string | undefined,
): Promise<WipePlan> {
  if (begun !== undefined) {
    const recorded = replay(await (await app.store(inventory)).events(begun))?.plan;
    if (recorded && "wipes" in recorded) return recorded as WipePlan;
  }
  const nothing = join(app.stateDir(inventory), "work");
  await mkdir(nothing, { recursive: true, mode: 0o700 });
  const facts = await remote.driver.facts(host, { signal: app.signal });
  return planWipe({
    id: newRunId("i", app.clock.now()),
    host,
    inventory,
    facts,
    now: app.clock.now(),
    digest,
    nothing,
  });
}

/** Throws what kept it from being erased; the same run is gone on with by the next attempt. */
export async function driveWipe(
  app: App,
  world: FleetWorld,
  host: Host,
  plan: WipePlan,
  options: { readonly nixosAnywhere?: string | undefined; readonly kexec?: string | undefined },
  begins: (run: string) => Promise<void>,
): Promise<void> {
  const { inventory, store, remote } = world;
  const { env, cwd } = app.process;
  const anywhere = findAnywhere(inventory, options.nixosAnywhere, { env, cwd });
  if ((await store.events(plan.id)).length === 0) {
    await recordInstall(app, store, plan);
    await begins(plan.id);
  }
  const run = driveInstall(
    plan.id,
    {
      ...installSurroundings(app, world, anywhere, options),
      vault: sameKey(plan),
      secretsFor: async () => [],
      pin: async () => undefined,
      phases: wipePhases((h, signal) => remote.pool.fresh(remote.targetOf(h), signal)),
      outcome: { word: "wiped", says: "wiped: its disk reads back empty" },
      parallel: 1,
    },
    app.process.signals,
  );
  for await (const event of run) if (event.type === "host.state") app.note(`  ${event.msg}`);
  const state = replay(await store.events(plan.id));
  const failure = state?.hosts.get(host.name)?.failure;
  if (state?.status === "succeeded") return;
  // What the installation's own errors advise is about installations.
  throw new FleetError("install-failed", failure?.message ?? `${host.name} was not wiped`, {
    hint: `go on with: macula-fleet retire ${host.name} --wipe; it is retired already, so if you see its disk blank and the machine off, nothing is left to do`,
  });
}

/** Nothing new is made of it: the machine stays recognisable by the key it has. */
function sameKey(plan: WipePlan): IdentityVault {
  const of = async (host: string) => ({
    publicKey: plan.targets[host]?.hostKeys[0] ?? "",
    privateKey: new Secret(""),
  });
  return { of, kept: of };
}
