import pMap from "p-map";
import { z } from "zod";
import { type App, checksOf, type Remote } from "../../app.ts";
import { EXIT, FleetError, toFailure } from "../../errors.ts";
import { Duration } from "../../globals.ts";
import type { Host, Inventory } from "../../inventory/model.ts";
import { type Batch, batches } from "../../operate/batches.ts";
import { type Rebooted, rebootHost } from "../../operate/reboot.ts";
import { buildGuards } from "../../plan/guards.ts";
import { replay } from "../../rollout/state.ts";
import type { Store } from "../../store/store.ts";
import { Slots } from "../../transport/slots.ts";
import { duration, names, plural } from "../../ui/view/format.ts";
import { defineCommand } from "../command.ts";
import {
  exitOfHosts,
  type HostResult,
  isDeferred,
  isMachine,
  noteFailures,
  noteLab,
  onEach,
  pickHosts,
  printResults,
} from "../hosts.ts";
import { withLease } from "../lease.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns"]],
  options: [
    ["--if-needed", "only hosts that run an older kernel than their system has"],
    ["--boot-deadline <duration>", "a host must be back within this", "10m"],
  ],
  examples: [
    "macula-fleet reboot node-03",
    "macula-fleet reboot --limit all --if-needed",
    "macula-fleet reboot --limit role=gateway --yes",
  ],
  schema: z.object({ ifNeeded: z.boolean().default(false), bootDeadline: Duration.default(600_000) }),
  async run(app, { args, options }) {
    if (args.length === 0 && app.globals.limit === undefined && !options.ifNeeded) {
      throw new FleetError("usage", "no host is named", {
        hint: "name hosts, say --if-needed, or --limit all to mean the whole fleet",
      });
    }
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const picked = await pickHosts(app, inventory, store, args);
    const remote = await app.remote(inventory);
    const hosts = options.ifNeeded ? await needing(app, remote, picked) : picked;
    if (hosts.length === 0) {
      app.note("no host needs a reboot");
      return EXIT.ok;
    }
    await refuseRunning(app, store, hosts);
    const plan = batches(hosts, inventory);
    noteLab(app, inventory);
    if (!isMachine(app)) for (const batch of plan) app.note(describe(batch));
    if (!(await app.confirm(`Restart ${plural(hosts.length, "host")}?`))) return EXIT.error;
    const results = await withLease(app, store, "reboot", ({ fence }) =>
      restart(app, inventory, remote, plan, { fence, bootDeadlineMs: options.bootDeadline }),
    );
    if (isMachine(app)) printResults(app, results);
    else for (const r of results) if (r.ok) app.print(`${r.host}: back in ${duration(r.value.tookMs)}`);
    noteFailures(app, results);
    if (results.some((r) => !r.ok && r.failure.code === "needs-human")) return EXIT.paused;
    return results.length < hosts.length && app.process.signals.drain.aborted
      ? EXIT.interrupted
      : exitOfHosts(results);
  },
});

const describe = ({ role, hosts, parallel }: Batch): string =>
  `${plural(hosts.length, `${role} host`)}, ${parallel} at a time: ${names(
    hosts.map((h) => h.name),
    8,
  )}`;

async function needing(app: App, { driver }: Remote, hosts: readonly Host[]): Promise<readonly Host[]> {
  const ask = (host: Host) => driver.observe(host, { signal: app.signal });
  const seen = await onEach(app, hosts, ask, { aloud: true });
  noteFailures(app, seen);
  const pending = new Set(seen.flatMap((r) => (r.ok && r.value.rebootPending ? [r.host] : [])));
  return hosts.filter((h) => pending.has(h.name));
}

/** A rollout somebody drives may be testing one of them: a restart would revert it. */
async function refuseRunning(app: App, store: Store, hosts: readonly Host[]): Promise<void> {
  const ours = new Set(hosts.map((h) => h.name));
  for (const run of await store.runs({ active: true })) {
    const driver = await store.holder(`run:${run.id}`, app.clock.now());
    if (!driver) continue;
    const planned = replay(await store.events(run.id))?.plan.hosts ?? [];
    const common = planned.flatMap((h) => (ours.has(h.name) ? [h.name] : []));
    if (common.length === 0) continue;
    throw new FleetError(
      "locked",
      `${run.id} (driven by ${driver.owner}) is at work on ${names(common, 5)}`,
      {
        hint: `wait for it, or: macula-fleet rollout pause ${run.id}`,
      },
    );
  }
}

/** Batch after batch; the first host that does not come back as it should ends it. ^C lets those under way finish. */
async function restart(
  app: App,
  inventory: Inventory,
  remote: Remote,
  plan: readonly Batch[],
  o: { readonly fence: number; readonly bootDeadlineMs: number },
): Promise<readonly HostResult<Rebooted>[]> {
  const { drain, abort } = app.process.signals;
  const deps = {
    driver: remote.driver,
    clock: app.clock,
    signal: abort,
    checks: checksOf(inventory),
    guards: buildGuards(inventory, inventory.policy),
    hosts: remote.performer.hosts,
    healthyDeadlineMs: inventory.policy.healthyDeadlineMs,
    ...o,
    ...(isMachine(app) ? {} : { onStep: (host: string, text: string) => app.note(`${host}: ${text}`) }),
  };
  const results: HostResult<Rebooted>[] = [];
  const stop = { now: false };
  const one = async (host: Host, slots: Slots): Promise<void> => {
    using _slot = await slots.acquire(abort);
    if (stop.now || drain.aborted) return;
    try {
      results.push({ host: host.name, ok: true, value: await rebootHost(host, deps) });
    } catch (error) {
      abort.throwIfAborted();
      const failure = toFailure(error);
      // Out of reach before anything was done to it: no reason to stop. `rebootHost` says otherwise what went wrong.
      stop.now ||= !isDeferred(failure);
      results.push({ host: host.name, ok: false, failure });
    }
  };
  for (const batch of plan) {
    const sites = new Map(batch.hosts.map((h) => [h.site, new Slots(batch.perSite)]));
    const slotsOf = (host: Host) => sites.get(host.site) ?? new Slots(1);
    await pMap(batch.hosts, (host) => one(host, slotsOf(host)), { concurrency: batch.parallel });
  }
  const left = plan.flatMap((b) => b.hosts).length - results.length;
  if (left > 0) app.note(`not restarted: ${plural(left, "more host")}`);
  return results;
}
