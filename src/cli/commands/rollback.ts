import { z } from "zod";
import type { App, Remote } from "../../app.ts";
import { EXIT, FleetError } from "../../errors.ts";
import type { Observation } from "../../host/protocol.ts";
import type { Host } from "../../inventory/model.ts";
import { selectHosts } from "../../inventory/select.ts";
import { startRun } from "../../rollout/begin.ts";
import { newRunId, planTo } from "../../rollout/launch.ts";
import type { Sighting } from "../../rollout/survey.ts";
import type { HostRecord } from "../../store/store.ts";
import { lookAt } from "../asking.ts";
import { defineCommand } from "../command.ts";
import { driveRun } from "../follow.ts";
import { showPlan } from "../planning.ts";

const schema = z.object({
  toGeneration: z.coerce.number("must be a generation number").int().min(1).optional(),
  boot: z.boolean().default(false),
  hold: z.boolean().default(true),
  ignoreConsent: z.boolean().default(false),
});

export const command = defineCommand({
  arguments: [["<hosts...>", "host names or --limit patterns"]],
  options: [
    ["--to-generation <n>", "this generation; default: the last healthy one before the present"],
    ["--boot", "through a reboot, also where a live switch would do"],
    ["--ignore-consent", "do not ask the programs of hosts' owners (consent.d)"],
    ["--no-hold", "let the next rollout take the hosts forward again"],
  ],
  examples: ["macula-fleet rollback node-03", "macula-fleet rollback node-03 --to-generation 41 --boot"],
  schema,
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = selectHosts(inventory, args.join(","));
    const remote = await app.remote(inventory);
    const records = await store.hosts();
    const seen = await lookAt(app, hosts, remote);
    const targets = new Map<string, { toplevel: string; size: number }>();
    for (const host of hosts) {
      const sighting = seen.get(host.name);
      if (!sighting?.reachable) {
        throw new FleetError("unreachable", `${host.name}: ${sighting?.failure.message ?? "not asked"}`, {
          hint: "a rollback needs the host to answer",
        });
      }
      targets.set(host.name, {
        toplevel: await goal(app, remote, host, sighting.observation, records.get(host.name), options),
        size: 0,
      });
    }
    const now = app.clock.now();
    const policy = {
      ...inventory.policy,
      reboot: options.boot ? ("always" as const) : inventory.policy.reboot,
      ...(options.ignoreConsent ? { ignoreConsent: true as const } : {}),
    };
    const plan = planTo({
      id: newRunId("b", now),
      kind: "rollback",
      inventory: { ...inventory, policy },
      hosts,
      revision: options.toGeneration === undefined ? "last healthy" : `generation ${options.toGeneration}`,
      now,
      known: new Map(
        hosts.map((h) => [
          h.name,
          {
            reachable: true,
            current: observed(seen.get(h.name)).current,
            profile: observed(seen.get(h.name)).profile,
          },
        ]),
      ),
      targets,
      force: true,
      waveless: true,
    });
    if (plan.hosts.length === 0) {
      app.note("nothing to do: the hosts run that system already");
      return EXIT.ok;
    }
    const shown = (app.format === "human" || app.format === "plain") && !app.globals.yes;
    if (shown) await showPlan(app, inventory, plan, { to: "stderr" });
    // One named host is as explicit as it gets; a pattern is asked about.
    if (hosts.length > 1 && !(await app.confirm(`Roll ${hosts.length} hosts back?`))) return EXIT.error;
    await startRun(store, plan, { operator: app.operator, clock: app.clock, sightings: seen });
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

const observed = (s: Sighting | undefined): Observation => {
  if (!s?.reachable) throw new TypeError("not observed");
  return s.observation;
};

/** Never `--rollback`, which is only "one number less": an explicit system, known to have been healthy where that is recorded. */
async function goal(
  app: App,
  remote: Remote,
  host: Host,
  seen: Observation,
  record: HostRecord | undefined,
  options: z.output<typeof schema>,
): Promise<string> {
  const generations = await remote.driver.generations(host, { signal: app.signal });
  const list = generations.map((g) => g.number).join(", ");
  if (options.toGeneration !== undefined) {
    const wanted = generations.find((g) => g.number === options.toGeneration);
    if (wanted) return wanted.path;
    throw new FleetError("usage", `${host.name} has no generation ${options.toGeneration}; it has ${list}`, {
      hint: `macula-fleet generations ${host.name}`,
    });
  }
  const candidates = [record?.lastHealthy, record?.previousHealthy].filter(
    (p) => p !== undefined && p !== seen.current,
  );
  const kept = candidates.find((path) => generations.some((g) => g.path === path));
  if (kept !== undefined) return kept;
  const present = generations.findIndex((g) => g.path === seen.current);
  const before = generations
    .slice(0, present < 0 ? undefined : present)
    .findLast((g) => g.path !== seen.current);
  if (before) return before.path;
  throw new FleetError(
    "usage",
    `${host.name} has no earlier generation to go back to (it has ${list || "none"})`,
    { hint: `macula-fleet generations ${host.name}` },
  );
}
