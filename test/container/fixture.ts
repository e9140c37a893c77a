/** Real hosts for tests: a docker lab of its own per suite, and what can be done to its hosts from outside. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe } from "vitest";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import type { Host, Inventory } from "../../src/inventory/model.ts";
import { dockerLabDown, dockerLabUp } from "../../src/lab/docker/backend.ts";
import { dockerLabFault, dockerLabPowerCycle } from "../../src/lab/docker/control.ts";
import { dockerCli, engineProblem } from "../../src/lab/docker/engine.ts";
import { type ReleaseFault, releaseWith } from "../../src/lab/docker/flake-release.ts";
import { commitRelease, createLabClosureSource } from "../../src/lab/docker/lab-flake.ts";
import { type DockerLab, type DockerLabHost, requireDockerLab } from "../../src/lab/docker/record.ts";
import { labLayout } from "../../src/lab/layout.ts";
import type { Closure } from "../../src/nix/closures.ts";
import type { FlakeClosureSource } from "../../src/nix/flake-source.ts";

export const signal = new AbortController().signal;

const problem = await missing();

/** A suite that needs containers: skipped with the reason where they are missing, failed in CI. */
export function onContainers(name: string, body: () => void): void {
  if (problem === null) return void describe(name, body);
  if (process.env.CI) throw new Error(`${name} must run in CI: ${problem}`);
  console.warn(`skipped: ${name}: ${problem}`);
  describe.skip(`${name} (${problem})`, body);
}

async function missing(): Promise<string | null> {
  for (const [file, flag] of [
    ["git", "--version"],
    ["nix", "--version"],
    ["mmdebstrap", "--version"],
    ["busybox", "--list"],
    ["ssh", "-V"],
  ] as const) {
    if ((await execa(file, [flag], { reject: false })).failed) return `${file} is not installed`;
  }
  return engineProblem(dockerCli, signal);
}

export interface ContainerHost {
  /** As the inventory has it. */
  readonly host: Host;
  readonly container: DockerLabHost;
  /** stdout of a script run as root through the engine: works when ssh does not. A non-zero exit throws. */
  exec(script: string): Promise<string>;
  /** stdout of a script run over ssh as the inventory's user, host key checked; rejects like execa. */
  ssh(script: string, input?: AsyncIterable<Uint8Array>): Promise<string>;
  /** Power off without warning, power on, until ssh is served again. */
  powerCycle(): Promise<void>;
  /** From now on nobody reaches the host, until it activates another system, is restarted or `restoreNetwork`. */
  cutNetwork(): Promise<void>;
  restoreNetwork(): Promise<void>;
  /** Returns when ssh is served. */
  ready(): Promise<void>;
  /** Builds a new system for this host alone; copies nothing. */
  makeClosure(spec: { readonly name: string; readonly fault?: ReleaseFault }): Promise<Closure>;
}

export interface LabFixture extends AsyncDisposable {
  readonly dir: string;
  readonly lab: DockerLab;
  readonly inventory: Inventory;
  readonly source: FlakeClosureSource;
  host(name: string): ContainerHost;
  fault(host: string, kind: string): Promise<unknown>;
}

/** A running docker lab in a directory of its own; both are gone when it is disposed. */
export async function startLabFixture(hosts: number): Promise<LabFixture> {
  const root = await mkdtemp(join(tmpdir(), "mf-lab-"));
  const dir = join(root, "lab");
  try {
    const lab = await dockerLabUp({ dir, hosts, signal });
    const path = labLayout(dir).inventory;
    const inventory = requireValid(await loadInventory({ path, cwd: dir, env: {}, now: Date.now() }));
    return {
      dir,
      lab,
      inventory,
      source: createLabClosureSource(join(dir, "flake")),
      host: (name) => containerHost(dir, name, inventory),
      fault: (host, kind) => dockerLabFault(dir, host, kind, { signal }),
      async [Symbol.asyncDispose]() {
        await dockerLabDown(dir, { signal });
        await rm(root, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(root, { recursive: true, force: true });
    throw error;
  }
}

function containerHost(dir: string, name: string, inventory: Inventory): ContainerHost {
  const host = inventory.hosts.find((h) => h.name === name);
  const container = requireDockerLab(dir).hosts.find((h) => h.name === name);
  if (host === undefined || container === undefined) throw new Error(`no host ${name} in this lab`);
  const files = labLayout(dir);
  const flake = join(dir, "flake");
  const exec = (script: string) =>
    dockerCli.run(["exec", container.container, "sh", "-c", script], { signal });
  const ready = async () => {
    await exec("until systemctl is-active --quiet ssh.service 2> /dev/null; do sleep 0.1; done");
  };
  const options = [
    ...["-i", files.identity, "-o", "IdentitiesOnly=yes", "-o", `UserKnownHostsFile=${files.knownHosts}`],
    ...["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", "-F", "none"],
  ];
  return {
    host,
    container,
    exec,
    ready,
    async ssh(script, input) {
      const stdin = input === undefined ? ({ stdin: "ignore" } as const) : ({ stdin: input } as const);
      const { stdout } = await execa("ssh", [...options, `${host.user}@${host.address}`, script], stdin);
      return stdout;
    },
    async powerCycle() {
      await dockerLabPowerCycle(dir, name, { signal });
      await ready();
    },
    cutNetwork: async () => void (await exec("ip link set eth0 down")),
    restoreNetwork: async () => void (await exec("ip link set eth0 up")),
    async makeClosure({ name: release, fault = {} }) {
      await commitRelease(flake, releaseWith(release, fault), signal);
      const source = createLabClosureSource(flake);
      const closures = await source.build([host], await source.revision(release, { signal }), { signal });
      const closure = closures.get(name);
      if (closure === undefined) throw new Error(`no system was built for ${name}`);
      return closure;
    },
  };
}
