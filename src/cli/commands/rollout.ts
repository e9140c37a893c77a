import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { App } from "../../app.ts";
import { EXIT, type ExitCode, FleetError } from "../../errors.ts";
import type { Plan } from "../../plan/model.ts";
import { startRun } from "../../rollout/begin.ts";
import { assertFresh } from "../../rollout/launch.ts";
import { lookAt } from "../asking.ts";
import { defineCommand } from "../command.ts";
import { releaseDead } from "../controllers.ts";
import { driveRun } from "../follow.ts";
import { type Made, makePlan, showPlan } from "../planning.ts";
import { POLICY_OPTIONS, PolicyOptions } from "../policy-options.ts";
import { command as planCommand } from "./plan.ts";

export const command = defineCommand({
  arguments: [["[inventory]", "inventory, or a plan saved with: macula-fleet plan -o json"]],
  options: [
    ...POLICY_OPTIONS,
    ["--check", "only show what would be done (same as: macula-fleet plan)"],
    ["--detailed-exitcode", "with --check: exit 2 when there is something to change"],
    ["--supersede", "take hosts over from rollouts that have not finished"],
  ],
  examples: [
    "macula-fleet rollout --canary 10%",
    "macula-fleet rollout --limit 'site=gent:&role=peer' --waves 25%,100%",
    "macula-fleet rollout --urgent --to 4f1c2aa --yes",
  ],
  schema: PolicyOptions.extend({
    check: z.boolean().default(false),
    detailedExitcode: z.boolean().default(false),
    supersede: z.boolean().default(false),
  }),
  async run(app, { args, options }) {
    if (options.check) return planCommand.run(app, { args, options: { ...options, all: false } });
    const saved = await savedPlan(args[0]);
    const made = saved ? await fromSaved(app, saved) : await makePlan(app, args[0], options);
    const { plan, inventory, store, remote } = made;
    if (plan.hosts.length === 0) return nothingToDo(app, made);

    const machine = app.format === "json" || app.format === "ndjson";
    const shown = !machine && !app.globals.yes;
    if (shown) await showPlan(app, inventory, plan, { to: "stderr" });
    if (!(await app.confirm(`Roll ${plan.revision} out to ${plan.hosts.length} hosts?`))) {
      app.note("nothing was changed");
      return EXIT.error;
    }
    await requireSecrets(plan, made);
    await releaseDead(app, store);
    await startRun(store, plan, {
      operator: app.operator,
      clock: app.clock,
      supersede: options.supersede,
      sightings: made.sightings,
    });
    return driveRun(app, plan.id, store, remote, { inventory, planShown: shown });
  },
});

/** Before anything begins rather than host by host: what hosts need besides their systems must be readable. */
async function requireSecrets(plan: Plan, { remote }: Made): Promise<void> {
  const { hosts, secrets } = remote.performer;
  const reasons = new Set<string>();
  for (const { name } of plan.hosts) {
    const host = hosts.get(name);
    if (!host) continue;
    await secrets?.(host).catch((error: unknown) => {
      if (!(error instanceof FleetError)) throw error;
      reasons.add(`${error.message} (${name})`);
    });
  }
  if (reasons.size === 0) return;
  throw new FleetError("secret-unavailable", `nothing was begun: ${[...reasons].join("; ")}`, {
    hint: "make every reference readable here, or leave these hosts out with --limit",
  });
}

async function nothingToDo(app: App, { plan, inventory }: Made): Promise<ExitCode> {
  const deferred = plan.excluded.filter((e) => e.state === "deferred");
  if (app.format === "json" || app.format === "ndjson") app.json(plan);
  else await showPlan(app, inventory, plan, { to: "stdout" });
  app.note(
    deferred.length > 0
      ? `nothing can be changed now: ${deferred.length} hosts are out of reach or held`
      : "nothing to do: every host runs it already",
  );
  return deferred.length > 0 ? EXIT.hostsDeferred : EXIT.ok;
}

/** A file that is a plan and not an inventory. */
async function savedPlan(path: string | undefined): Promise<Plan | null> {
  if (path === undefined || !path.endsWith(".json")) return null;
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof value === "object" && value !== null && "waves" in value && "hash" in value)
      return value as Plan;
  } catch (error) {
    throw new FleetError("usage", `${path} is not a saved plan: ${(error as Error).message}`, {
      cause: error,
      hint: "make one with: macula-fleet plan -o json > p.json",
    });
  }
  throw new FleetError("usage", `${path} is JSON, but not a saved plan`, {
    hint: "make one with: macula-fleet plan -o json > p.json",
  });
}

async function fromSaved(app: App, plan: Plan): Promise<Made> {
  const inventory = await app.inventory();
  if (inventory.fleet.name !== plan.fleet) {
    throw new FleetError(
      "plan-stale",
      `this plan is for the fleet ${plan.fleet}, the inventory is of ${inventory.fleet.name}`,
    );
  }
  const store = await app.store(inventory);
  const remote = await app.remote(inventory);
  const names = new Set(plan.hosts.map((h) => h.name));
  const hosts = inventory.hosts.filter((h) => names.has(h.name));
  const missing = [...names].filter((name) => !hosts.some((h) => h.name === name));
  if (missing.length > 0)
    throw new FleetError(
      "plan-stale",
      `the plan names hosts the inventory no longer has: ${missing.join(", ")}`,
    );
  const sightings = await lookAt(app, hosts, remote);
  assertFresh(plan, sightings);
  return { plan, inventory, store, remote, sightings };
}
