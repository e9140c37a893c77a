import { z } from "zod";
import type { App } from "../../app.ts";
import type { Observation } from "../../host/protocol.ts";
import type { Host, Inventory } from "../../inventory/model.ts";
import type { HostRecord } from "../../store/store.ts";
import { type HostStatus, hostStatus, type KnownHost, statusTable } from "../../ui/fleet-status.ts";
import { plural } from "../../ui/view/format.ts";
import { defineCommand } from "../command.ts";
import {
  exitOfHosts,
  type HostResult,
  isMachine,
  isReachedBySsh,
  noteFailures,
  noteLab,
  onEach,
  printData,
} from "../hosts.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [
    ["--offline", "ask nobody: what is remembered"],
    ["--wide", "more columns"],
  ],
  examples: [
    "macula-fleet status",
    "macula-fleet status --limit 'site=gent:&role=gateway' --wide",
    "macula-fleet status --limit state=failed -o json",
  ],
  schema: z.object({ offline: z.boolean().default(false), wide: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = await app.hosts(inventory, store, args.length > 0 ? args.join(",") : "all");
    const records = await store.hosts();
    const seen = options.offline ? [] : await look(app, inventory, hosts.filter(isReachedBySsh));
    const now = app.clock.now();
    for (const result of seen) {
      if (result.ok) await store.putHost(remembered(result.host, result.value.observation, now));
    }
    const answers = new Map(seen.map((result) => [result.host, result]));
    const rows = hosts.map((host) => hostStatus(known(host, records.get(host.name), answers), now));
    if (isMachine(app)) printData(app, rows);
    else {
      noteLab(app, inventory);
      app.print(statusTable(rows, { now, wide: options.wide }));
      const text = sumUp(rows);
      if (text !== "") app.note(text);
      noteFailures(
        app,
        seen.filter((r) => !r.ok && !r.failure.transient),
      );
    }
    return exitOfHosts(seen);
  },
});

interface Seen {
  readonly observation: Observation;
  readonly kernel: string | undefined;
}

async function look(
  app: App,
  inventory: Inventory,
  hosts: readonly Host[],
): Promise<readonly HostResult<Seen>[]> {
  const { driver } = await app.remote(inventory);
  const { signal } = app;
  const ask = async (host: Host): Promise<Seen> => {
    const observation = await driver.observe(host, { signal });
    const generations = observation.current === "" ? [] : await driver.generations(host, { signal });
    const running = generations.findLast((g) => g.path === observation.booted);
    return { observation, kernel: running?.kernel || undefined };
  };
  return onEach(app, hosts, ask, { aloud: true });
}

function known(
  host: Host,
  record: HostRecord | undefined,
  answers: ReadonlyMap<string, HostResult<Seen>>,
): KnownHost {
  const answer = answers.get(host.name);
  if (answer === undefined) return { host, record };
  if (!answer.ok) return { host, record, failure: answer.failure };
  const { observation, kernel } = answer.value;
  return { host, record, observation, ...(kernel === undefined ? {} : { kernel }) };
}

function remembered(host: string, o: Observation, now: number): HostRecord {
  return {
    host,
    seenAt: now,
    ...(o.current === "" ? {} : { current: o.current }),
    ...(o.generation === null ? {} : { generation: o.generation }),
  };
}

function sumUp(rows: readonly HostStatus[]): string {
  const silent = rows.filter((r) => r.reach === "unreachable").length;
  const degraded = rows.filter((r) => (r.failedUnits?.length ?? 0) > 0).length;
  const parts = [
    silent > 0 ? `${silent} out of reach (shown as last seen)` : "",
    degraded > 0 ? `${degraded} degraded; why: macula-fleet drift` : "",
  ].filter((p) => p !== "");
  return parts.length === 0 ? "" : `${plural(rows.length, "host")}: ${parts.join(", ")}`;
}
