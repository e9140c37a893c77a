import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { FleetError } from "../../errors.ts";
import { systemClock } from "../../kernel/clock.ts";
import { dockerCli, type Engine } from "./engine.ts";
import { withLock } from "./lock.ts";

/** bookworm: systemd 252, Nix 2.8. trixie: systemd 257, Nix 2.26. */
export const SUITES = ["bookworm", "trixie"] as const;
export type Suite = (typeof SUITES)[number];

const REPOSITORY = "macula-fleet-lab";
const recipeDir = fileURLToPath(new URL("./image", import.meta.url));

export interface EnsureImageOptions {
  readonly signal: AbortSignal;
  readonly engine?: Engine;
  readonly onLine?: (line: string) => void;
}

/**
 * The tag of a suite's host image, built from Debian packages unless the recipe's image exists already.
 * Safe to call from several processes at once. Needs root and mmdebstrap for a build; throws `tool-missing`, `lab-failed`.
 */
export async function ensureImage(suite: Suite, o: EnsureImageOptions): Promise<string> {
  const engine = o.engine ?? dockerCli;
  const tag = await imageTag(suite);
  if (await imageExists(engine, tag, o.signal)) return tag;
  const lock = join(tmpdir(), `${tag.replace(":", "-")}.lock`);
  await withLock(lock, { signal: o.signal, clock: systemClock }, async () => {
    if (!(await imageExists(engine, tag, o.signal))) await buildImage(suite, tag, o);
  });
  return tag;
}

/** `macula-fleet-lab:SUITE-HASH`; the hash covers every file of the recipe. */
export async function imageTag(suite: Suite): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(recipeDir)).sort()) {
    const content = await readFile(join(recipeDir, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return `${REPOSITORY}:${suite}-${hash.digest("hex").slice(0, 12)}`;
}

async function imageExists(engine: Engine, tag: string, signal: AbortSignal): Promise<boolean> {
  return (await engine.run(["images", "--quiet", tag], { signal })) !== "";
}

async function buildImage(suite: Suite, tag: string, o: EnsureImageOptions): Promise<void> {
  const packages = (await readFile(join(recipeDir, "packages.txt"), "utf8")).trim().split("\n");
  const withoutDocs = ["doc", "man", "locale", "info"].map((d) => `--dpkgopt=path-exclude=/usr/share/${d}/*`);
  const hook = `'${join(recipeDir, "customize.sh")}' "$1" ${suite} '${recipeDir}'`;
  const changes = ["ENV container=docker", "EXPOSE 22", 'CMD ["/usr/local/sbin/lab-init"]'];
  const bootstrap = execa(
    "mmdebstrap",
    [
      ...["--mode=root", "--variant=minbase", "--format=tar", `--include=${packages.join(",")}`],
      ...['--aptopt=Apt::Install-Recommends "false"', ...withoutDocs, `--customize-hook=${hook}`],
      ...[suite, "-", await debianMirror(o.signal)],
    ],
    { cancelSignal: o.signal, stdin: "ignore", buffer: { stdout: false }, reject: false },
  );
  bootstrap.stderr?.setEncoding("utf8").on("data", (text: string) => {
    for (const line of text.split("\n")) if (line !== "") o.onLine?.(line);
  });
  const load = execa("docker", ["import", ...changes.flatMap((c) => ["--change", c]), "-", tag], {
    cancelSignal: o.signal,
    reject: false,
  });
  if (load.stdin) bootstrap.stdout?.pipe(load.stdin);
  // A tar that ended early may still have been imported: without its tag nobody takes it for the image.
  const [built, loaded] = await Promise.all([bootstrap, load]);
  o.signal.throwIfAborted();
  if (!built.failed && !loaded.failed) return;
  if (!loaded.failed) await (o.engine ?? dockerCli).run(["rmi", tag], { signal: o.signal });
  throw buildFailure(suite, built.code === "ENOENT" || built.failed ? built : loaded);
}

function buildFailure(
  suite: Suite,
  result: { readonly code?: string | undefined; readonly stderr: string },
): FleetError {
  if (result.code === "ENOENT") {
    return new FleetError("tool-missing", "mmdebstrap is needed to build the lab's host images", {
      hint: "apt-get install mmdebstrap",
    });
  }
  const said = result.stderr.trim().split("\n").slice(-20).join("\n");
  return new FleetError("lab-failed", `building the ${suite} host image failed:\n${said}`, {
    hint: "it is built from Debian packages, as root, with the package mirror of this machine",
  });
}

/** The mirror this machine's own packages come from; all suites are on it. */
export async function debianMirror(signal: AbortSignal): Promise<string> {
  const args = ["indextargets", "--format", "$(REPO_URI) $(LABEL) $(COMPONENT)", "Created-By: Packages"];
  const result = await execa("apt-get", args, { cancelSignal: signal, reject: false });
  const targets = (result.stdout ?? "").split("\n").map((line) => line.split(" "));
  const uri = targets.find(([, label, component]) => label === "Debian" && component === "main")?.[0];
  if (uri !== undefined) return uri;
  throw new FleetError("lab-failed", "no Debian package mirror is configured on this machine", {
    hint: "the docker lab builds its hosts from Debian packages: run it on Debian, or use `--backend sim`",
  });
}
