import pMap from "p-map";
import { FleetError } from "../errors.ts";
import * as commands from "./commands.ts";
import { type Evaluated, lastLines, parseEvaluated, parsePaths } from "./parse.ts";
import type { NixCall, NixRunner } from "./runner.ts";
import type { Spread } from "./spread.ts";

export interface BuildOptions {
  readonly run: NixRunner;
  readonly spread: (hosts: number) => Spread;
  readonly nixOptions: readonly string[];
  /** For evaluation only, such as `--override-input`. */
  readonly evalOptions?: readonly string[];
  /** Default `toplevel`: the system itself. */
  readonly attribute?: "toplevel" | "diskoScript";
}

/** Derivation and output of one host's system. */
export interface System {
  readonly drv: string;
  readonly out: string;
}

/** Evaluates every host's system, several per process and several processes at once. Throws `build-failed` naming each bad host. */
export async function evaluateSystems(
  flake: string,
  hosts: readonly string[],
  o: BuildOptions,
  call: NixCall,
): Promise<ReadonlyMap<string, System>> {
  const found: Found = { systems: new Map(), failures: new Map() };
  const { jobs, chunkSize, heapBytes } = o.spread(hosts.length);
  const chunks = Array.from({ length: Math.ceil(hosts.length / chunkSize) }, (_, i) =>
    hosts.slice(i * chunkSize, (i + 1) * chunkSize),
  );
  const { nixOptions, evalOptions = [], attribute } = o;
  const how = { options: [...nixOptions, ...evalOptions], heapBytes, ...(attribute ? { attribute } : {}) };
  await pMap(chunks, (chunk) => evaluateChunk(flake, chunk, o.run, how, call, found), { concurrency: jobs });
  const inOrder = <T>(map: ReadonlyMap<string, T>) =>
    new Map(hosts.flatMap((host) => (map.has(host) ? [[host, map.get(host) as T]] : [])));
  if (found.failures.size > 0) throw failed("evaluate", inOrder(found.failures));
  return inOrder(found.systems);
}

interface Found {
  readonly systems: Map<string, System>;
  readonly failures: Map<string, string>;
}

async function evaluateChunk(
  flake: string,
  hosts: readonly string[],
  run: NixRunner,
  how: commands.EvaluateOptions,
  call: NixCall,
  found: Found,
): Promise<void> {
  const result = await run.run(commands.evaluate(flake, hosts, how), call);
  if (result.code === 0) return sort(parseEvaluated(result.stdout), hosts, flake, found);
  const [only, ...others] = hosts;
  if (only !== undefined && others.length === 0) {
    found.failures.set(only, lastLines(result.stderr));
    return;
  }
  // Nix stops at the first bad host and does not say which one it is: halve until the bad ones stand alone.
  const middle = Math.ceil(hosts.length / 2);
  await evaluateChunk(flake, hosts.slice(0, middle), run, how, call, found);
  await evaluateChunk(flake, hosts.slice(middle), run, how, call, found);
}

function sort(evaluated: Evaluated, hosts: readonly string[], flake: string, found: Found): void {
  for (const host of hosts) {
    const system = evaluated[host];
    if (system) found.systems.set(host, system);
    else found.failures.set(host, `${flake} has no nixosConfigurations.${host}`);
  }
}

/** Builds each distinct system once. Throws `build-failed` naming the hosts whose system could not be built. */
export async function buildSystems(
  systems: ReadonlyMap<string, System>,
  o: BuildOptions,
  call: NixCall,
): Promise<void> {
  const drvs = [...new Set([...systems.values()].map((system) => system.drv))];
  if (drvs.length === 0) return;
  const result = await o.run.run(commands.realise(drvs, o.nixOptions), call);
  if (result.code === 0) return;
  const outs = [...new Set([...systems.values()].map((system) => system.out))];
  const check = await o.run.run(commands.printInvalid(outs), { signal: call.signal });
  const invalid = new Set(parsePaths(check.stdout));
  const hosts = [...systems].filter(([, system]) => invalid.has(system.out)).map(([host]) => host);
  const log = lastLines(result.stderr);
  throw failed("build", new Map(hosts.map((host) => [host, log])), log);
}

function failed(what: string, failures: ReadonlyMap<string, string>, log?: string): FleetError {
  const hosts = [...failures.keys()];
  // One mistake often fails every host the same way: say it once.
  const reasons = Map.groupBy(hosts, (host) => failures.get(host) ?? "");
  const text = log ?? [...reasons].map(([why, same]) => `${same.join(", ")}:\n${why}`).join("\n");
  const message = `cannot ${what} the system of ${hosts.join(", ") || "some host"}:\n${text}`;
  return new FleetError("build-failed", message, { data: { hosts } });
}
