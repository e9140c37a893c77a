/** The lab's stand-in for a flake: "builds" are descriptions, but paths, sizes and the copied bytes are consistent. */
import { FleetError } from "../errors.ts";
import type { Closure, ClosureSource } from "../nix/closures.ts";
import { labLayout } from "./layout.ts";
import type { StoreEntry } from "./machine/system.ts";
import { readCatalog, systemFor } from "./store/catalog.ts";
import { closureOf, systemOfPath, toplevelPath } from "./store/closure.ts";
import { exportStream } from "./store/export-stream.ts";
import { storePath } from "./store/paths.ts";

/** Where the lab's "disko script" for a host and revision would be: for `nixos-anywhere --store-paths`. */
export const labDiskoScript = (host: string, revision: string): string =>
  storePath(`disko-${host}-${revision}`);

/** `dir` is the lab's directory; its releases are read anew at every call, so `lab release` takes effect at once. */
export function createSimClosureSource(dir: string): ClosureSource {
  const catalog = () => readCatalog(labLayout(dir).releases);
  const known = new Map<string, StoreEntry>();

  const closure = (toplevel: string): readonly StoreEntry[] => {
    const system = systemOfPath(toplevel);
    if (!system) {
      throw new FleetError("build-failed", `${toplevel} is not a system of this lab`, {
        hint: "a lab can only stage what its simulated flake has built",
      });
    }
    const entries = closureOf(system);
    for (const entry of entries) known.set(entry.path, entry);
    return entries;
  };

  return {
    async revision(to, { signal }) {
      signal.throwIfAborted();
      const { head } = catalog();
      return systemFor(catalog(), "any", to ?? head).revision;
    },

    async build(hosts, revision, { signal, onLine }) {
      signal.throwIfAborted();
      const releases = catalog();
      onLine?.(`lab: simulated build of ${revision} for ${hosts.length} hosts`);
      const systems = hosts.map((host) => systemFor(releases, host.name, revision));
      const broken = systems.filter((s) => s.behaviour === "no-build").map((s) => s.host);
      if (broken.length > 0) {
        throw new FleetError(
          "build-failed",
          `the lab's release ${revision} does not build for ${broken.join(", ")}`,
          {
            hint: `macula-fleet lab release ${revision} --behaviour good`,
            data: { hosts: broken },
          },
        );
      }
      return new Map(
        systems.map((system): [string, Closure] => {
          const toplevel = toplevelPath(system);
          const size = closure(toplevel).reduce((n, e) => n + e.size, 0);
          return [system.host, { toplevel, size, version: system.version }];
        }),
      );
    },

    async disko(hosts, revision, { signal }) {
      signal.throwIfAborted();
      return new Map(hosts.map((host) => [host.name, labDiskoScript(host.name, revision)]));
    },

    async requisites(toplevel, { signal }) {
      signal.throwIfAborted();
      return closure(toplevel).map(({ path, size }) => ({ path, size }));
    },

    async *export(paths, { signal }) {
      const entries = paths.map((path) => {
        if (!known.has(path) && systemOfPath(path)) closure(path);
        const entry = known.get(path);
        if (!entry) throw new FleetError("copy-failed", `${path} is not in the lab's store`);
        return entry;
      });
      for (const chunk of exportStream(entries)) {
        signal.throwIfAborted();
        yield chunk;
      }
    },
  };
}
