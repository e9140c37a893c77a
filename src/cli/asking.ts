/** Asking hosts, and telling on stderr who keeps us waiting: shared by every command that only looks. */
import type { App, Remote } from "../app.ts";
import type { HostDriver } from "../host/driver.ts";
import type { Host } from "../inventory/model.ts";
import { type Sighting, survey } from "../rollout/survey.ts";
import { Asking } from "../ui/asking.ts";

/** To be disposed when the asking is over. */
export function askAloud(app: App, total: number): Asking {
  const { stderr } = app.process;
  return new Asking({ err: stderr, clock: app.clock, color: app.color && stderr.isTTY === true, total });
}

/** A driver whose looks at hosts are told by `asking`. */
export function aloud(driver: Pick<HostDriver, "observe">, asking: Asking): Pick<HostDriver, "observe"> {
  return { observe: (host, call) => asking.during(host.name, () => driver.observe(host, call)) };
}

export async function lookAt(
  app: App,
  hosts: readonly Host[],
  remote: Remote,
): Promise<ReadonlyMap<string, Sighting>> {
  using asking = askAloud(app, hosts.length);
  return await survey(hosts, aloud(remote.driver, asking), { signal: app.signal, forks: app.globals.forks });
}
