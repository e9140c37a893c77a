/** What a pipeline's `ci build` and `ci push` share: which hosts a commit changes, and building just those. */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { App } from "../app.ts";
import { FleetError } from "../errors.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import type { Closure, ClosureSource } from "../nix/closures.ts";
import type { FlakeClosureSource } from "../nix/flake-source.ts";
import { type Changed, changedHosts, type Systems } from "../operate/changed.ts";
import { plural, shortRevision } from "../ui/view/format.ts";
import { systemsSince } from "./ci-since.ts";
import type { OptionSpec } from "./command.ts";

export const CI_OPTIONS: readonly OptionSpec[] = [
  ["--to <rev>", "revision to build", "the flake as it is"],
  ["--since <rev>", "only hosts whose system this revision had otherwise"],
  ["--known <file>", "only hosts whose system this file (written by ci push) has otherwise"],
];

export const CiOptions = z.object({
  to: z.string().optional(),
  since: z.string().optional(),
  known: z.string().optional(),
});
export type CiOptions = z.output<typeof CiOptions>;

/** The file of `--known`: what was pushed last, `{"systems": {"node-01": "/nix/store/…"}}`. */
const Known = z.object({
  revision: z.string(),
  systems: z.record(z.string(), z.string().regex(/^\/nix\/store\/[\w+.?=-]+$/)),
});
export type Known = z.output<typeof Known>;

export interface CiBuilt extends Changed {
  readonly inventory: Inventory;
  readonly hosts: readonly Host[];
  readonly source: FlakeClosureSource;
  readonly revision: string;
  /** All selected hosts, changed or not. */
  readonly now: Systems;
  readonly known: Known | null;
  readonly closures: ReadonlyMap<string, Closure>;
}

/** Evaluates every selected host, builds the systems of those that changed, each once. */
export async function buildChanged(app: App, args: readonly string[], options: CiOptions): Promise<CiBuilt> {
  if (options.since !== undefined && options.known !== undefined) {
    throw new FleetError("usage", "--since and --known both say what to compare with", {
      hint: "use one of them",
    });
  }
  const inventory = await app.inventory();
  const selected = await app.hosts(inventory, undefined, args.length > 0 ? args.join(",") : "all");
  const hosts = selected.filter((h) => h.os === "nixos" && h.state !== "retired");
  const source = await app.closures(inventory);
  if (!isFlake(source)) {
    throw new FleetError("usage", "a simulated lab's systems are not built: a pipeline needs a flake", {
      hint: "macula-fleet lab up --backend docker has one",
    });
  }
  const { signal } = app;
  const known = options.known === undefined ? null : await readKnown(options.known);
  const revision = await source.revision(options.to, { signal });
  const now = await source.toplevels(hosts, revision, { signal });
  const before =
    options.since === undefined
      ? known && new Map(Object.entries(known.systems))
      : await systemsSince(app, inventory, hosts, options.since, source);
  const changes = changedHosts(now, before);
  const first = new Set(changes.systems.map((s) => s.hosts[0]));
  const closures = await source.build(
    hosts.filter((h) => first.has(h.name)),
    revision,
    { signal, ...(app.globals.verbose ? { onLine: (line: string) => app.note(line) } : {}) },
  );
  return { ...changes, inventory, hosts, source, revision, now, known, closures };
}

/** The JSON of both commands, for the steps that follow in a pipeline. */
export function ciSummary(built: CiBuilt): object {
  const { revision, changed, unchanged, systems, closures } = built;
  return {
    revision,
    changed,
    unchanged,
    systems: systems.map(({ toplevel, hosts }) => {
      const closure = closures.get(hosts[0] ?? "");
      return { toplevel, hosts, version: closure?.version ?? "", sizeBytes: closure?.size ?? 0 };
    }),
  };
}

export function ciSentence({ revision, changed, unchanged, systems }: CiBuilt): string {
  const counted = `${plural(systems.length, "system")} built for ${plural(changed.length, "changed host")}`;
  return `${shortRevision(revision)}: ${counted}, ${unchanged.length} unchanged`;
}

async function readKnown(file: string): Promise<Known | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    // A pipeline's first run has none yet: then everything is new.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new FleetError("usage", `${file} cannot be read`, { cause: error });
  }
  try {
    return Known.parse(JSON.parse(text));
  } catch (cause) {
    throw new FleetError("usage", `${file} is not what ci push wrote`, {
      hint: "remove it: everything is built and pushed once more",
      cause,
    });
  }
}

function isFlake(source: ClosureSource): source is FlakeClosureSource {
  return "toplevels" in source;
}
