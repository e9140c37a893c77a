/** Building every selected host's system: shared by `build` and `push`. */
import type { App, Remote } from "../app.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import type { Closure } from "../nix/closures.ts";
import type { Store } from "../store/store.ts";

export interface Built {
  readonly inventory: Inventory;
  readonly store: Store;
  readonly remote: Remote;
  readonly hosts: readonly Host[];
  readonly revision: string;
  readonly systems: ReadonlyMap<string, Closure>;
}

/** The selected hosts' systems; hosts that run something else than NixOS, or are retired, have none. */
export async function buildSelected(
  app: App,
  args: readonly string[],
  to: string | undefined,
): Promise<Built> {
  const inventory = await app.inventory();
  const store = await app.store(inventory);
  const selected = await app.hosts(inventory, store, args.length > 0 ? args.join(",") : "all");
  const hosts = selected.filter((h) => h.os === "nixos" && h.state !== "retired");
  const remote = await app.remote(inventory);
  const { signal } = app;
  const revision = await remote.closures.revision(to, { signal });
  const systems = await remote.closures.build(hosts, revision, {
    signal,
    ...(app.globals.verbose ? { onLine: (line: string) => app.note(line) } : {}),
  });
  return { inventory, store, remote, hosts, revision, systems };
}
