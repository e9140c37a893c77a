/** Copying systems to hosts ahead of their rollout, within what the sites' uplinks carry. */
import pMap from "p-map";
import type { HostDriver } from "../host/driver.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import { Slots } from "../transport/slots.ts";

/** One name for all: a later push replaces the roots of an earlier one, so that nothing piles up on hosts. */
const PUSH = "push";

export interface Prestaged {
  readonly toplevel: string;
  /** What crossed the wire. */
  readonly bytes: number;
  readonly paths: number;
  /** Kernel, initrd or modules differ from those booted: its activation will reboot. */
  readonly rebootNeeded: boolean;
}

export interface PrestageDeps {
  readonly driver: Pick<HostDriver, "observe" | "stage">;
  readonly signal: AbortSignal;
  readonly fence: number;
}

/** Makes `toplevel` complete on the host and keeps it from garbage collection; activates nothing. */
export async function prestage(host: Host, toplevel: string, deps: PrestageDeps): Promise<Prestaged> {
  const { driver, signal, fence } = deps;
  const { current } = await driver.observe(host, { signal });
  const staged = await driver.stage(
    host,
    { rollout: PUSH, attempt: 1, fence, from: current, to: toplevel, mode: "test", confirmTimeoutMs: 60_000 },
    { signal },
  );
  return { toplevel, ...staged };
}

/** Runs `work` for every host: at most as many of a site at once as its uplink carries, and `copyParallel` in all. */
export async function eachBySite(
  hosts: readonly Host[],
  { sites, policy }: Inventory,
  signal: AbortSignal,
  work: (host: Host) => Promise<void>,
): Promise<void> {
  const perSite = new Map(
    [...new Set(hosts.map((h) => h.site))].map((name) => {
      const uplink = name === null ? undefined : sites[name]?.uplink.concurrentCopies;
      return [name, new Slots(uplink ?? policy.perSite.copying)];
    }),
  );
  const all = new Slots(policy.copyParallel);
  await pMap(hosts, async (host) => {
    using _site = await perSite.get(host.site)?.acquire(signal);
    using _any = await all.acquire(signal);
    await work(host);
  });
}
