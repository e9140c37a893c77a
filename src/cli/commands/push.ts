import { z } from "zod";
import type { App } from "../../app.ts";
import { EXIT, FleetError, toFailure } from "../../errors.ts";
import type { FlakeClosureSource } from "../../nix/flake-source.ts";
import { eachBySite, type Prestaged, prestage } from "../../operate/prestage.ts";
import { bytes, plural, shortRevision } from "../../ui/view/format.ts";
import { type Built, buildSelected } from "../building.ts";
import { defineCommand } from "../command.ts";
import {
  exitOfHosts,
  type HostResult,
  isMachine,
  isReachedBySsh,
  noteFailures,
  noteLab,
  printResults,
} from "../hosts.ts";
import { withLease } from "../lease.ts";

const schema = z.object({
  to: z.string().optional(),
  cache: z.string().optional(),
});

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [
    ["--to <rev>", "revision to push", "the flake as it is"],
    ["--cache <url>", "to a binary cache (s3://…, file://…, ssh-ng://…) instead of to the hosts"],
  ],
  examples: [
    "macula-fleet push --limit site=gent",
    "macula-fleet push --to 4f1c2aa && macula-fleet rollout --to 4f1c2aa",
    "macula-fleet push --cache 's3://fleet-cache?region=eu-west-1&secret-key=/etc/nix/key'",
  ],
  schema,
  async run(app, { args, options }) {
    const built = await buildSelected(app, args, options.to);
    noteLab(app, built.inventory);
    const { revision, systems } = built;
    if (options.cache !== undefined) {
      const closures = built.remote.closures;
      if (!canPush(closures)) {
        throw new FleetError("usage", "a lab's systems are simulated: no binary cache can hold them", {
          hint: "leave --cache out to copy them to the lab's hosts",
        });
      }
      const toplevels = [...new Set([...systems.values()].map((s) => s.toplevel))];
      await closures.push(options.cache, toplevels, { signal: app.signal });
      if (isMachine(app)) app.print(JSON.stringify({ revision, pushed: toplevels }));
      else app.print(`${shortRevision(revision)}: ${plural(toplevels.length, "system")} pushed`);
      return EXIT.ok;
    }
    const results = await withLease(app, built.store, "push", ({ fence }) => toHosts(app, built, fence));
    if (isMachine(app)) printResults(app, results);
    noteFailures(app, results);
    return exitOfHosts(results);
  },
});

async function toHosts(app: App, built: Built, fence: number): Promise<readonly HostResult<Prestaged>[]> {
  const done = new Map<string, HostResult<Prestaged>>();
  const hosts = built.hosts.filter(isReachedBySsh);
  const deps = { driver: built.remote.driver, signal: app.signal, fence };
  await eachBySite(hosts, built.inventory, app.signal, async (host) => {
    const toplevel = built.systems.get(host.name)?.toplevel;
    if (toplevel === undefined) return;
    try {
      const value = await prestage(host, toplevel, deps);
      done.set(host.name, { host: host.name, ok: true, value });
      if (!isMachine(app)) app.print(`${host.name}: ${describe(value)}`);
    } catch (error) {
      app.signal.throwIfAborted();
      done.set(host.name, { host: host.name, ok: false, failure: toFailure(error) });
    }
  });
  return hosts.flatMap((host) => done.get(host.name) ?? []);
}

function describe({ paths, bytes: n, rebootNeeded }: Prestaged): string {
  const copied = paths === 0 ? "had it all" : `${plural(paths, "path")} copied, ${bytes(n)}`;
  return rebootNeeded ? `${copied}; its activation will reboot` : copied;
}

const canPush = (closures: object): closures is Pick<FlakeClosureSource, "push"> => "push" in closures;
