import { availableParallelism } from "node:os";
import { FleetError } from "../errors.ts";
import type { Host, HostName } from "../inventory/model.ts";
import { type BuildOptions, buildSystems, evaluateSystems } from "./build.ts";
import type { Closure, ClosureSource, StorePathInfo } from "./closures.ts";
import * as commands from "./commands.ts";
import { lockedReference, resolveRevision } from "./flake.ts";
import {
  type ClosureChange,
  lastLines,
  parseClosureDiff,
  parseNixVersion,
  parsePathInfo,
  parsePaths,
  systemVersion,
} from "./parse.ts";
import { parseFlakeReference } from "./reference.ts";
import { evaluateRemembered } from "./remembered.ts";
import type { NixCall, NixResult, NixRunner } from "./runner.ts";
import { type Room, spread } from "./spread.ts";

export interface FlakeClosureSourceOptions {
  /** `./flake`, `path:…`, `git+ssh://…`, `github:…`; see the inventory's `fleet.flake`. */
  readonly flakeRef: string;
  /** What a relative `flakeRef` is relative to: absolute. */
  readonly baseDir: string;
  readonly run: NixRunner;
  /** Default false: a dirty work tree is refused. */
  readonly allowDirty?: boolean;
  /** Default: what this machine has room for. */
  readonly room?: () => Room;
  /** Where evaluated systems are remembered; default: nowhere. */
  readonly memory?: string;
  /** Options for evaluation and builds, such as `--offline`. */
  readonly nixOptions?: readonly string[];
  /** Inputs of the flake to replace, by name: `{inventory: "path:…"}`. One the flake does not have is ignored. */
  readonly inputs?: Readonly<Record<string, string>>;
}

/** A fleet's real systems. Beyond `ClosureSource`: what `plan`, `preflight` and `push` need of Nix. */
export interface FlakeClosureSource extends ClosureSource {
  /** Only the names count. */
  build(
    hosts: readonly Pick<Host, "name">[],
    revision: string,
    o: NixCall,
  ): Promise<ReadonlyMap<HostName, Closure>>;
  /** The systems' store paths by evaluation alone; nothing is built. Throws `build-failed` naming the hosts. */
  toplevels(
    hosts: readonly Pick<Host, "name">[],
    revision: string,
    o: NixCall,
  ): Promise<ReadonlyMap<HostName, string>>;
  /** `2.26.3`; throws `nix-missing` also when Nix is too old (before 2.8). */
  nixVersion(o: NixCall): Promise<string>;
  /** What changes from one system to the other; both must be in the local store. */
  diff(before: string, after: string, o: NixCall): Promise<readonly ClosureChange[]>;
  /** Uploads whole closures to a binary cache (`file://…?secret-key=FILE`, `s3://…`) or store (`ssh-ng://…`). */
  push(url: string, toplevels: readonly string[], o: NixCall): Promise<void>;
}

/** Systems from `nixosConfigurations.<host>` of a flake, built by the Nix (2.8 or newer) of this machine. */
export function createFlakeClosureSource(options: FlakeClosureSourceOptions): FlakeClosureSource {
  const { run, nixOptions = [], allowDirty = false, memory, room = machine } = options;
  const flake = parseFlakeReference(options.flakeRef, options.baseDir);
  const evalOptions = Object.entries(options.inputs ?? {}).flatMap(([name, url]) => [
    "--override-input",
    name,
    url,
  ]);
  const building: BuildOptions = { run, spread: (n) => spread(n, room()), nixOptions, evalOptions };
  const systemsOf = async (
    hosts: readonly Pick<Host, "name">[],
    revision: string,
    o: BuildOptions,
    call: NixCall,
  ) => {
    const reference = await lockedReference(flake, revision, { run }, call);
    const names = hosts.map((host) => host.name);
    return memory === undefined
      ? evaluateSystems(reference, names, o, call)
      : evaluateRemembered(memory, reference, names, o, call);
  };

  return {
    revision: (to, call) =>
      resolveRevision(flake, to, { run, allowDirty, nixOptions: [...nixOptions, ...evalOptions] }, call),

    async build(hosts, revision, call) {
      if (hosts.length === 0) return new Map();
      const systems = await systemsOf(hosts, revision, building, call);
      await buildSystems(systems, building, call);
      const outs = [...new Set([...systems.values()].map((system) => system.out))];
      const sizes = parsePathInfo(await stdout(commands.pathInfo(outs, { closure: true }), run, call));
      const closure = (out: string): Closure => ({
        toplevel: out,
        size: sizes.get(out)?.closureSize ?? 0,
        version: systemVersion(out),
      });
      return new Map([...systems].map(([host, system]) => [host, closure(system.out)]));
    },

    async toplevels(hosts, revision, call) {
      if (hosts.length === 0) return new Map();
      const systems = await systemsOf(hosts, revision, building, call);
      return new Map([...systems].map(([host, system]) => [host, system.out]));
    },

    async disko(hosts, revision, call) {
      if (hosts.length === 0) return new Map();
      const scripts = { ...building, attribute: "diskoScript" } as const;
      const systems = await systemsOf(hosts, revision, scripts, call);
      await buildSystems(systems, scripts, call);
      return new Map([...systems].map(([host, system]) => [host, system.out]));
    },

    async requisites(toplevel, call): Promise<readonly StorePathInfo[]> {
      const [order, info] = await Promise.all([
        stdout(commands.requisites([toplevel]), run, call),
        stdout(commands.pathInfo([toplevel], { recursive: true }), run, call),
      ]);
      const known = parsePathInfo(info);
      return parsePaths(order).map((path) => {
        const { size = 0, hash } = known.get(path) ?? {};
        return { path, size, ...(hash === undefined ? {} : { hash }) };
      });
    },

    async *export(paths, call) {
      if (paths.length > 0) yield* run.stream(commands.exportPaths(paths), call);
    },

    async nixVersion(call) {
      const text = await stdout(commands.version(), run, call);
      const found = parseNixVersion(text);
      const [major = 0, minor = 0] = (found ?? "").split(".").map(Number);
      if (found !== null && (major > 2 || (major === 2 && minor >= 8))) return found;
      throw new FleetError("nix-missing", `Nix 2.8 or newer is needed, this machine has ${text.trim()}`);
    },

    diff: async (before, after, call) =>
      parseClosureDiff(await stdout(commands.diffClosures(before, after), run, call)),

    async push(url, toplevels, call) {
      const result = await run.run(commands.copyTo(url, toplevels), call);
      if (result.code === 0) return;
      throw new FleetError(
        "copy-failed",
        `the push to ${withoutKey(url)} failed:\n${lastLines(result.stderr)}`,
        {
          hint: "what has arrived stays there: the same command goes on where it stopped",
        },
      );
    },
  };
}

const machine = (): Room => ({ cpus: availableParallelism(), availableBytes: process.availableMemory() });

async function stdout(command: commands.NixCommand, run: NixRunner, call: NixCall): Promise<string> {
  const result: NixResult = await run.run(command, { signal: call.signal });
  if (result.code === 0) return result.stdout;
  throw new FleetError("command-failed", `${command.label} failed:\n${lastLines(result.stderr)}`);
}

function withoutKey(url: string): string {
  return url.split("?", 1)[0] ?? url;
}
