import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import type { Generation } from "../../host/protocol.ts";
import { selectHosts } from "../../inventory/select.ts";
import { startRun } from "../../rollout/begin.ts";
import { newRunId } from "../../rollout/launch.ts";
import { earlierSystem, type Present, planRollback } from "../../rollout/rollback-hosts.ts";
import type { HostRecord } from "../../store/store.ts";
import { lookAt } from "../asking.ts";
import { defineCommand } from "../command.ts";
import { driveRun } from "../follow.ts";
import { showPlan } from "../planning.ts";

export const command = defineCommand({
  arguments: [["<hosts...>", "host names or --limit patterns"]],
  options: [
    ["--to-generation <n>", "this generation; default: the last healthy one before the present"],
    ["--boot", "through a reboot, also where a live switch would do"],
    ["--ignore-consent", "do not ask the programs of hosts' owners (consent.d)"],
    ["--no-hold", "let the next rollout take the hosts forward again"],
  ],
  examples: ["macula-fleet rollback node-03", "macula-fleet rollback node-03 --to-generation 41 --boot"],
  schema: z.object({
    toGeneration: z.coerce.number("must be a generation number").int().min(1).optional(),
    boot: z.boolean().default(false),
    hold: z.boolean().default(true),
    ignoreConsent: z.boolean().default(false),
  }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = selectHosts(inventory, args.join(","));
    const remote = await app.remote(inventory);
    const records = await store.hosts();
    const sightings = await lookAt(app, hosts, remote);
    const seen = new Map<string, Present>();
    const targets = new Map<string, string>();
    for (const host of hosts) {
      const sighting = sightings.get(host.name);
      if (!sighting?.reachable) {
        throw new FleetError("unreachable", `${host.name}: ${sighting?.failure.message ?? "not asked"}`, {
          hint: "a rollback needs the host to answer",
        });
      }
      seen.set(host.name, sighting.observation);
      const generations = await remote.driver.generations(host, { signal: app.signal });
      targets.set(
        host.name,
        options.toGeneration === undefined
          ? goal(host.name, generations, sighting.observation, records.get(host.name))
          : generation(host.name, generations, options.toGeneration),
      );
    }
    const now = app.clock.now();
    const policy = {
      ...inventory.policy,
      reboot: options.boot ? ("always" as const) : inventory.policy.reboot,
      ...(options.ignoreConsent ? { ignoreConsent: true as const } : {}),
    };
    const revision =
      options.toGeneration === undefined ? "last healthy" : `generation ${options.toGeneration}`;
    const id = newRunId("b", now);
    const plan = planRollback({
      id,
      inventory: { ...inventory, policy },
      hosts,
      revision,
      now,
      seen,
      targets,
    });
    if (plan.hosts.length === 0) {
      app.note("nothing to do: the hosts run that system already");
      return EXIT.ok;
    }
    const shown = (app.format === "human" || app.format === "plain") && !app.globals.yes;
    if (shown) await showPlan(app, inventory, plan, { to: "stderr" });
    // One named host is as explicit as it gets; a pattern is asked about.
    if (hosts.length > 1 && !(await app.confirm(`Roll ${hosts.length} hosts back?`))) return EXIT.error;
    await startRun(store, plan, { operator: app.operator, clock: app.clock, sightings });
    const exit = await driveRun(app, plan.id, store, remote, { inventory, planShown: shown });
    if (exit === EXIT.ok && options.hold) {
      for (const host of hosts) {
        await store.putHost({
          host: host.name,
          held: { reason: `rolled back (${plan.id})`, by: app.operator, since: app.clock.now() },
        });
      }
      app.note(
        `held: the next rollout passes over ${hosts.map((h) => h.name).join(", ")} until: macula-fleet unhold ${hosts.map((h) => h.name).join(" ")}`,
      );
    }
    return exit;
  },
});

const numbers = (generations: readonly Generation[]) => generations.map((g) => g.number).join(", ");

function generation(host: string, generations: readonly Generation[], wanted: number): string {
  const found = generations.find((g) => g.number === wanted);
  if (found) return found.path;
  throw new FleetError("usage", `${host} has no generation ${wanted}; it has ${numbers(generations)}`, {
    hint: `macula-fleet generations ${host}`,
  });
}

function goal(
  host: string,
  generations: readonly Generation[],
  seen: Present,
  record: HostRecord | undefined,
): string {
  const path = earlierSystem(generations, seen, record);
  if (path !== null) return path;
  throw new FleetError(
    "usage",
    `${host} has no earlier generation to go back to (it has ${numbers(generations) || "none"})`,
    { hint: `macula-fleet generations ${host}` },
  );
}
