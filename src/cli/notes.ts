/** hold, unhold, lock, unlock: the same shape four times. */
import type { App } from "../app.ts";
import { EXIT, type ExitCode, FleetError } from "../errors.ts";
import type { SshDriver } from "../host/ssh-driver.ts";
import type { Host } from "../inventory/model.ts";
import type { Store } from "../store/store.ts";
import {
  exitOfHosts,
  type HostResult,
  isMachine,
  noteFailures,
  noteLab,
  onEach,
  pickHosts,
  printResults,
} from "./hosts.ts";

export interface NoteContext {
  readonly driver: SshDriver;
  readonly store: Store;
  readonly signal: AbortSignal;
}

/** Does `work` on the hosts named; `done` says it of one host. `left` is what stays true of hosts nobody reached. */
export async function annotate<T extends object>(
  app: App,
  args: readonly string[],
  work: (host: Host, context: NoteContext) => Promise<T>,
  o: {
    readonly done: (result: { readonly host: string; readonly value: T }) => string;
    readonly left?: string;
  },
): Promise<ExitCode> {
  if (args.length === 0 && app.globals.limit === undefined) {
    throw new FleetError("usage", "no host is named", {
      hint: "name hosts, or say --limit all to mean the whole fleet",
    });
  }
  const inventory = await app.inventory();
  const store = await app.store(inventory);
  const hosts = await pickHosts(app, inventory, store, args);
  const { driver } = await app.remote(inventory);
  const context = { driver, store, signal: app.signal };
  const results: readonly HostResult<T>[] = await onEach(app, hosts, (host) => work(host, context));
  if (isMachine(app)) printResults(app, results);
  else {
    noteLab(app, inventory);
    for (const result of results) if (result.ok) app.print(o.done(result));
  }
  noteFailures(app, results);
  const exit = exitOfHosts(results);
  if (exit !== EXIT.ok && o.left !== undefined && !isMachine(app)) app.note(o.left);
  return exit;
}
