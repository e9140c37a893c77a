/** An operator's directory: a fleet of one machine, its flake, keys, and the program as it is run. */
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { stringify } from "yaml";
import { releaseWith } from "../../src/lab/docker/flake-release.ts";
import { commitRelease, createLabFlake, LAB_NIX_CONFIG } from "../../src/lab/docker/lab-flake.ts";
import { type Base, ensureBase, recipe } from "./base.ts";
import { KERNEL_PARAMS } from "./subject.ts";

const ownFlake = fileURLToPath(new URL("./flake", import.meta.url));
const CLI = fileURLToPath(new URL("../../bin/macula-fleet.js", import.meta.url));

export const NAME = "node-01";
export const DISK_SERIAL = "LAB0001";
const DISK = `/dev/disk/by-id/virtio-${DISK_SERIAL}`;

export interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly all: string;
}

export interface Operator extends AsyncDisposable {
  readonly dir: string;
  readonly base: Base;
  readonly publicKey: string;
  readonly inventory: string;
  /** Writes the inventory; the machine is where `at` says. */
  writeInventory(at: { readonly address: string; readonly port: number }): Promise<void>;
  /** The only keys that are known from now on, as known_hosts lines. */
  trust(lines: readonly string[]): Promise<void>;
  trusted(): Promise<string>;
  /** `within`: a network namespace; `onStdout` sees the output as it comes. */
  run(
    args: readonly string[],
    o?: { readonly within?: string; readonly onStdout?: (text: string) => void },
  ): Promise<Ran>;
  /** stdout of a shell line on the machine, by plain OpenSSH and the operator's known_hosts. */
  ssh(
    at: { readonly address: string; readonly port: number },
    line: string,
    within?: string,
  ): Promise<string>;
}

/** `medium`: the flake also offers an installer's image. */
export async function anOperator(
  signal: AbortSignal,
  o: { readonly medium?: boolean } = {},
): Promise<Operator> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "mf-vm-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const base = await ensureBase(signal);
  const identity = join(dir, "id");
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", identity]);
  const flake = join(dir, "flake");
  await createLabFlake(flake, [], signal);
  await cp(ownFlake, flake, { recursive: true });
  await mkdir(join(flake, "inventory"));
  await writeFile(join(flake, "inventory", "fleet.json"), '{"hosts":[]}\n');
  await mkdir(join(flake, "boot"));
  for (const part of ["kernel", "initrd"] as const)
    await copyFile(base.file(part), join(flake, "boot", part));
  if (o.medium === true) await addInstaller(base, join(flake, "installer"));
  await commitRelease(flake, releaseWith("r1", { kernelParams: KERNEL_PARAMS }), signal);
  const [inventory, knownHosts] = [join(dir, "inventory.yaml"), join(dir, "known_hosts")];
  await writeFile(knownHosts, "");
  const inside = (within: string | undefined, command: readonly string[]): readonly string[] =>
    within === undefined ? command : ["ip", "netns", "exec", within, ...command];
  const publicKey = (await readFile(`${identity}.pub`, "utf8")).trim();
  const env = { HOME: dir, XDG_STATE_HOME: join(dir, "state"), NIX_CONFIG: LAB_NIX_CONFIG };
  const owned = stack.move();
  return {
    dir,
    base,
    inventory,
    publicKey,
    writeInventory: async (at) => {
      const document = {
        apiVersion: "macula.io/v1",
        kind: "FleetInventory",
        fleet: { name: "vm", realm: "io.macula.lab", flake: "./flake", release: "26.05" },
        defaults: {
          user: "root",
          // An emulated processor is slow, and slower still beside others.
          ssh: { identityFile: "id", knownHosts: "known_hosts", connectTimeout: "60s" },
          users: { operator: { keys: [publicKey] } },
          mesh: { bootstrapPeers: ["mesh.lab.invalid:443"] },
        },
        hosts: {
          [NAME]: {
            ...at,
            hardware: { boot: "bios" },
            disk: { device: DISK, serial: DISK_SERIAL },
            health: {
              checks: [
                { name: "units", type: "systemd" },
                { name: "workload", type: "http", url: "http://127.0.0.1:8080/healthz" },
              ],
            },
          },
        },
      };
      await writeFile(inventory, stringify(document));
    },
    trust: (lines) => writeFile(knownHosts, lines.map((l) => `${l}\n`).join("")),
    trusted: () => readFile(knownHosts, "utf8"),
    run: async (args, o = {}) => {
      const [file = "", ...rest] = inside(o.within, [process.execPath, CLI, ...args, "-i", inventory]);
      const options = { cwd: dir, env, stdin: "ignore", all: true, reject: false } as const;
      const child = execa(file, rest, { ...options, cancelSignal: signal });
      child.stdout.on("data", (chunk: Buffer) => o.onStdout?.(chunk.toString()));
      const done = await child;
      return { code: done.exitCode, stdout: done.stdout, all: done.all };
    },
    ssh: async (at, line, within) => {
      const trusted = ["-o", "StrictHostKeyChecking=yes", "-o", `UserKnownHostsFile=${knownHosts}`];
      const login = ["-i", identity, "-F", "none", "-o", "BatchMode=yes", "-p", String(at.port)];
      const command = inside(within, ["ssh", ...login, ...trusted, `root@${at.address}`, line]);
      const [file = "", ...rest] = command;
      return (await execa(file, rest, { stdin: "ignore", cancelSignal: signal })).stdout;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function addInstaller(base: Base, dir: string): Promise<void> {
  await mkdir(dir);
  for (const part of ["kernel", "boot_hybrid.img", "eltorito.img", "bootx64.efi"] as const)
    await copyFile(base.file(part), join(dir, part));
  await copyFile(base.file("installer"), join(dir, "initrd"));
  await writeFile(join(dir, "kernel-params"), KERNEL_PARAMS.join(" "));
}

/** What `--kexec` names: the lab's installer, packed as nixos-images packs its own. */
export async function kexecTarball(base: Base, dir: string, signal: AbortSignal): Promise<string> {
  const root = join(dir, "kexec");
  await mkdir(root);
  await execa("tar", ["-C", root, "-xf", base.file("kexec.tar")], { cancelSignal: signal });
  const files = { bzImage: base.file("kernel"), initrd: base.file("installer") };
  for (const [name, from] of Object.entries(files)) await copyFile(from, join(root, name));
  await execa("install", ["-m", "755", join(recipe, "kexec-run"), join(root, "run")]);
  await writeFile(join(root, "kernel-params"), KERNEL_PARAMS.join(" "));
  const tarball = join(dir, "kexec.tar");
  await execa("tar", ["-C", dir, "-cf", tarball, "kexec"], { cancelSignal: signal });
  await rm(root, { recursive: true });
  return tarball;
}
