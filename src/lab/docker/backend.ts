/** The docker lab as commands see it: up and down. Faults, power and releases: `control.ts`. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FleetError } from "../../errors.ts";
import { defaultSites, fleetShape } from "../fleet-shape.ts";
import { newKeyPair } from "../keys.ts";
import { labLayout } from "../layout.ts";
import { READY_SCRIPT } from "./container.ts";
import { dockerCli, type Engine } from "./engine.ts";
import { releaseFile } from "./flake-release.ts";
import { ensureImage, type Suite } from "./image.ts";
import { dockerInventory, knownHosts } from "./inventory.ts";
import { commitRelease, createLabClosureSource, createLabFlake, type LabFlakeHost } from "./lab-flake.ts";
import { createLabNetwork, labContainers, removeLabObjects } from "./network.ts";
import { type DockerLab, type DockerLabHost, readDockerLab, writeDockerLab } from "./record.ts";
import { planHosts, type StartHosts, seedHosts, startContainers } from "./start-hosts.ts";

export interface DockerLabUpOptions {
  readonly dir: string;
  /** 1 to 64. */
  readonly hosts: number;
  readonly sites?: number;
  readonly signal: AbortSignal;
  readonly engine?: Engine;
  /** Progress for a person. */
  readonly onLine?: (line: string) => void;
}

/**
 * Starts containers with real OpenSSH, systemd and Nix that run release r1 of the lab's flake (its head is r2), and
 * writes inventory, key, known_hosts and flake into `dir`. Throws `usage` | `lab-failed` | `tool-missing` |
 * `nix-missing`; nothing of a lab that did not come up is left.
 */
export async function dockerLabUp(options: DockerLabUpOptions): Promise<DockerLab> {
  const { signal, engine = dockerCli, onLine = () => {} } = options;
  checkOptions(options);
  const kept = await startKeptLab(options.dir, engine, signal);
  if (kept !== null) {
    onLine(`${kept.hosts.length} hosts of the lab that was put down with --keep serve ssh again`);
    return kept;
  }
  checkDirectory(options.dir);
  const files = labLayout(options.dir);
  const id = randomBytes(4).toString("hex");
  const shape = fleetShape(options.hosts, options.sites ?? defaultSites(options.hosts));

  onLine("host images (built from Debian packages when they are not there yet: about a minute)");
  const images = await ensureImages(shape.length, { signal, engine, onLine });
  await mkdir(files.dir, { recursive: true, mode: 0o700 });
  const record = (network: string, hosts: DockerLabHost[]): DockerLab => ({
    schema: 1,
    note: "A macula-fleet lab made of containers. End it with `macula-fleet lab down`.",
    backend: "docker",
    id,
    network,
    started: Math.floor(Date.now() / 1000),
    hosts,
  });
  writeDockerLab(files.dir, record("", []));
  try {
    const key = newKeyPair("macula-fleet-lab");
    await writeFile(files.identity, key.private, { mode: 0o600 });
    await writeFile(files.identityPub, `${key.public}\n`);
    const network = await createLabNetwork(engine, id, signal);
    const lab = record(network.name, planHosts(shape, id, network));
    writeDockerLab(files.dir, lab);
    const start: StartHosts = { engine, lab: id, network, images, authorizedKey: key.public, signal };

    onLine(`starting ${lab.hosts.length} containers and building their first system`);
    const [systems] = await both(
      buildFirstSystems(files.dir, lab.hosts, signal),
      startContainers(lab.hosts, true, start),
    );
    const keys = await seedHosts(lab.hosts, systems, createLabClosureSource(join(files.dir, "flake")), start);
    await writeFile(files.knownHosts, knownHosts(keys));
    await writeFile(files.inventory, dockerInventory(lab.hosts));
    onLine(`${lab.hosts.length} hosts serve ssh`);
    return lab;
  } catch (error) {
    // What cannot be removed now stays recorded, so that `lab down` can: the first failure is the one to tell.
    await dockerLabDown(options.dir, { signal: new AbortController().signal, engine }).catch(() => false);
    throw error;
  }
}

/** Like `Promise.all`, but a failure waits for the other one to end too: what follows removes what both have made. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<readonly [A, B]> {
  await Promise.allSettled([a, b]);
  return [await a, await b];
}

function checkOptions({ hosts, sites, signal }: DockerLabUpOptions): void {
  signal.throwIfAborted();
  const whole = (n: number) => Number.isInteger(n) && n >= 1;
  if (!whole(hosts) || hosts > 64) {
    throw new FleetError("usage", `a docker lab has 1 to 64 hosts, not ${hosts}`, {
      hint: "the simulator (--backend sim) has up to 1000",
    });
  }
  if (sites !== undefined && (!whole(sites) || sites > hosts)) {
    throw new FleetError("usage", `${hosts} hosts cannot be spread over ${sites} sites`);
  }
}

function checkDirectory(dir: string): void {
  const files = labLayout(dir);
  if (existsSync(files.lab)) {
    throw new FleetError("lab-failed", `there is a lab in ${files.dir} already`, {
      hint: `macula-fleet lab down --dir ${files.dir}`,
    });
  }
  const occupied = [files.inventory, join(files.dir, "flake")].find((file) => existsSync(file));
  if (occupied !== undefined) {
    throw new FleetError("lab-failed", `${occupied} exists and is not a lab's: it is left alone`, {
      hint: "choose another --dir",
    });
  }
}

async function ensureImages(
  hosts: number,
  o: { readonly signal: AbortSignal; readonly engine: Engine; readonly onLine: (line: string) => void },
): Promise<ReadonlyMap<Suite, string>> {
  const suites: readonly Suite[] = hosts > 1 ? ["trixie", "bookworm"] : ["trixie"];
  const build = async (suite: Suite) => [suite, await ensureImage(suite, o)] as const;
  return new Map(await Promise.all(suites.map(build)));
}

async function buildFirstSystems(
  dir: string,
  hosts: readonly DockerLabHost[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const flake = join(dir, "flake");
  const arch = process.arch === "arm64" ? "aarch64-linux" : "x86_64-linux";
  const flakeHosts = hosts.map(({ name }): LabFlakeHost => ({ name, arch }));
  await createLabFlake(flake, flakeHosts, signal);
  await commitRelease(flake, releaseFile("r1", "good"), signal);
  const source = createLabClosureSource(flake);
  const revision = await source.revision(undefined, { signal });
  const closures = await source.build(flakeHosts, revision, { signal });
  await commitRelease(flake, releaseFile("r2", "good"), signal);
  return new Map([...closures].map(([host, { toplevel }]) => [host, toplevel]));
}

/** Turns on the hosts of a lab that is switched off; null when there is none. */
async function startKeptLab(dir: string, engine: Engine, signal: AbortSignal): Promise<DockerLab | null> {
  const lab = readDockerLab(dir);
  if (lab === null || lab.hosts.length === 0) return null;
  const running = await labContainers(engine, lab.id, signal, ["--filter", "status=running"]);
  if (running.length > 0) return null;
  const containers = lab.hosts.map((host) => host.container);
  await engine.run(["start", ...containers], { signal });
  for (const container of containers)
    await engine.run(["exec", container, "sh", "-c", READY_SCRIPT], { signal });
  return lab;
}

/**
 * Removes the lab's containers, network and files, also of a lab that came up half; with `keep` only switches the
 * hosts off, and the next `dockerLabUp` in `dir` switches them on again. True: there was one.
 */
export async function dockerLabDown(
  dir: string,
  o: { readonly signal: AbortSignal; readonly engine?: Engine; readonly keep?: boolean },
): Promise<boolean> {
  const lab = readDockerLab(dir);
  if (lab === null) return false;
  const engine = o.engine ?? dockerCli;
  if (o.keep) {
    const paused = await labContainers(engine, lab.id, o.signal, ["--filter", "status=paused"]);
    if (paused.length > 0) await engine.run(["unpause", ...paused], { signal: o.signal });
    const running = await labContainers(engine, lab.id, o.signal, ["--filter", "status=running"]);
    if (running.length > 0) await engine.run(["kill", ...running], { signal: o.signal });
    return true;
  }
  await removeLabObjects(engine, lab.id, o.signal);
  const f = labLayout(dir);
  for (const file of [f.inventory, f.identity, f.identityPub, f.knownHosts]) rmSync(file, { force: true });
  for (const made of [join(f.dir, "flake"), f.state]) rmSync(made, { recursive: true, force: true });
  // Last: as long as it is there, `lab down` can be repeated.
  rmSync(f.lab, { force: true });
  if (existsSync(f.dir) && readdirSync(f.dir).length === 0) rmdirSync(f.dir);
  return true;
}

/** What to type next, after `lab up`; lines for a person. */
export function dockerLabWelcome(lab: DockerLab, dir: string): readonly string[] {
  const files = labLayout(dir);
  return [
    `Lab: ${lab.hosts.length} containers with real OpenSSH, systemd and Nix on the network ${lab.network}.`,
    "Next:",
    `  macula-fleet status  -i ${files.inventory}`,
    `  macula-fleet rollout -i ${files.inventory} --canary 10%`,
    `  macula-fleet lab fault ${lab.hosts[0]?.name ?? "node-01"} bad-health --dir ${files.dir}`,
    `  macula-fleet lab down --dir ${files.dir}`,
  ];
}
