import { FleetError } from "../errors.ts";
import * as commands from "./commands.ts";
import { lastLines, parseFlakeMetadata } from "./parse.ts";
import {
  contentReference,
  type FlakeReference,
  gitReference,
  pathReference,
  repositoryReference,
} from "./reference.ts";
import type { NixCall, NixRunner } from "./runner.ts";

const DIRTY = "-dirty";

export interface FlakeOptions {
  readonly run: NixRunner;
  /** Roll out uncommitted changes too; the revision then ends in `-dirty`. */
  readonly allowDirty: boolean;
  /** Options for every Nix command, such as `--offline`. */
  readonly nixOptions: readonly string[];
}

/** The flake's revision: a git commit, or the content hash of a flake without history. Throws `usage`, `build-failed`. */
export async function resolveRevision(
  flake: FlakeReference,
  to: string | undefined,
  o: FlakeOptions,
  call: NixCall,
): Promise<string> {
  if (flake.kind === "repository") {
    return resolveRemote(to === undefined ? flake.url : repositoryReference(flake.url, to), o, call);
  }
  if (flake.kind === "content") return resolveContent(flake.url, to, o, call);
  const place = await gitPlace(flake.path, o.run, call);
  if (place === null) return resolveContent(pathReference(flake.path), to, o, call);
  const found = await o.run.run(commands.gitCommit(flake.path, to ?? "HEAD"), call);
  if (found.code !== 0) {
    throw new FleetError("usage", `${place.top} has no revision ${to ?? "HEAD"}`, {
      hint: `git -C ${place.top} log --oneline --all shows what there is`,
    });
  }
  const commit = found.stdout.trim();
  if (to !== undefined) return commit;
  const changes = (await o.run.run(commands.gitChanges(flake.path), call)).stdout.trim();
  if (changes === "") return commit;
  if (o.allowDirty) return `${commit}${DIRTY}`;
  const files = changes.split("\n").map((line) => line.trim());
  throw new FleetError("usage", `${place.top} has uncommitted changes: ${summary(files)}`, {
    hint: "commit them, name a revision with --to, or allow them with --allow-dirty",
    data: { files },
  });
}

/** How Nix is told to use exactly this revision. */
export async function lockedReference(
  flake: FlakeReference,
  revision: string,
  o: Pick<FlakeOptions, "run">,
  call: NixCall,
): Promise<string> {
  if (flake.kind === "repository") return repositoryReference(flake.url, revision);
  if (flake.kind === "content") return contentReference(flake.url, revision);
  const place = await gitPlace(flake.path, o.run, call);
  if (place === null) return contentReference(pathReference(flake.path), revision);
  if (!revision.endsWith(DIRTY)) return gitReference(place.top, place.prefix, revision);
  if (encodeURI(place.top) === place.top) return gitReference(place.top, place.prefix);
  // Old versions of Nix would silently take the last commit instead.
  throw new FleetError(
    "usage",
    `uncommitted changes in "${place.top}" cannot be built: Nix misreads its name`,
    {
      hint: "commit them, or rename the directory",
    },
  );
}

async function gitPlace(directory: string, run: NixRunner, call: NixCall) {
  const result = await run.run(commands.gitPlace(directory), { signal: call.signal });
  if (result.code !== 0) return null;
  const [top = "", prefix = ""] = result.stdout.split("\n");
  return { top, prefix };
}

async function resolveRemote(url: string, o: FlakeOptions, call: NixCall): Promise<string> {
  const { rev } = await metadata(url, o, call);
  if (rev !== undefined) return rev;
  throw new FleetError("build-failed", `${url} has no revision that could be rolled out`);
}

async function resolveContent(
  url: string,
  to: string | undefined,
  o: FlakeOptions,
  call: NixCall,
): Promise<string> {
  const { narHash } = await metadata(url, o, call);
  if (narHash === undefined)
    throw new FleetError("build-failed", `Nix does not tell the content hash of ${url}`);
  if (to === undefined || to === narHash) return narHash;
  throw new FleetError("usage", `${url} is not under version control: --to ${to} cannot be found in it`, {
    hint: "put the flake into a git repository",
  });
}

async function metadata(url: string, o: FlakeOptions, call: NixCall) {
  const result = await o.run.run(commands.flakeMetadata(url, o.nixOptions), call);
  if (result.code === 0) return parseFlakeMetadata(result.stdout);
  throw new FleetError("build-failed", `the flake ${url} cannot be read:\n${lastLines(result.stderr)}`, {
    hint: `see all of it with: nix flake metadata ${url}`,
  });
}

function summary(files: readonly string[]): string {
  const shown = files.slice(0, 3).join(", ");
  return files.length > 3 ? `${shown} and ${files.length - 3} more` : shown;
}
