/** One container with real OpenSSH, systemd and Nix as the subject of the host driver's contract. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { createSshDriver, type SshDriver, type SshDriverDeps } from "../../src/host/ssh-driver.ts";
import type { Host } from "../../src/inventory/model.ts";
import { dockerCli } from "../../src/lab/docker/engine.ts";
import type { ReleaseFault } from "../../src/lab/docker/flake-release.ts";
import { ensureImage, type Suite } from "../../src/lab/docker/image.ts";
import {
  commitRelease,
  createLabClosureSource,
  createLabFlake,
  LAB_NIX_CONFIG,
} from "../../src/lab/docker/lab-flake.ts";
import { SessionPool } from "../../src/transport/pool.ts";
import { createSshTransport } from "../../src/transport/ssh.ts";
import type { Target } from "../../src/transport/transport.ts";
import type { Behaviour, DriverSubject } from "../contract/host-driver.ts";
import { aHost } from "../support/fleet.ts";

const FAULTS: Readonly<Record<Behaviour, ReleaseFault>> = {
  good: {},
  "activation-fails": { activateExit: 1 },
  "unit-fails": { unitFails: true },
  "needs-reboot": { initChanges: true, kernelChanges: true },
  "no-boot": { initChanges: true, noBoot: true },
  "cuts-network": { dropNetwork: true },
};

const signal = new AbortController().signal;
const docker = (...args: readonly string[]) => dockerCli.run(args, { signal });

export interface DockerSubject extends DriverSubject {
  readonly container: string;
  /** A system with any of the lab's faults. */
  makeWith(fault: ReleaseFault): Promise<string>;
  /** Runs a shell line in the container, past SSH; resolves to its output. */
  exec(line: string): Promise<string>;
  /** Another controller: connections and knowledge of its own. */
  another(more?: Partial<SshDriverDeps>): SshDriver;
  /** Puts a signed binary cache of systems into the container, below `/root/cache`; its public key. */
  cache(toplevels: readonly string[]): Promise<string>;
}

/** `user`: root, or one of the image's users with sudo or doas. The container is gone when the subject is disposed. */
export async function dockerSubject(suite: Suite, user: "root" | "deploy" | "admin"): Promise<DockerSubject> {
  const stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "mf-host-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const identityFile = join(dir, "id");
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", identityFile]);
  const name = "node-01";
  const flake = join(dir, "flake");
  await createLabFlake(flake, [{ name, arch: "x86_64-linux" }], signal);
  const closures = createLabClosureSource(flake);
  const host: Host = aHost(name, "peer", { user });
  let made = 0;
  const makeWith = async (fault: ReleaseFault): Promise<string> => {
    const release = `t${++made}`;
    await commitRelease(flake, { name: release, fault, hosts: {} }, signal);
    const revision = await closures.revision(release, { signal });
    const built = await closures.build([host], revision, { signal });
    const toplevel = built.get(name)?.toplevel;
    if (toplevel === undefined) throw new Error(`no system for ${name}`);
    return toplevel;
  };

  const make = (behaviour: Behaviour) => makeWith(FAULTS[behaviour]);

  const container = `mf-host-${process.pid}-${suite}-${user}`;
  const image = await ensureImage(suite, { signal });
  const authorizedKey = (await execa("cat", [`${identityFile}.pub`])).stdout;
  await docker(
    ...["run", "--detach", "--name", container, "--hostname", name, "--restart", "always"],
    ...[
      "--stop-signal",
      "SIGRTMIN+3",
      "--cgroupns",
      "private",
      "--cap-add",
      "SYS_ADMIN",
      "--cap-add",
      "NET_ADMIN",
    ],
    ...[
      "--security-opt",
      "apparmor=unconfined",
      "--tmpfs",
      "/run:exec,mode=755",
      "--tmpfs",
      "/tmp:exec,mode=1777",
    ],
    ...["--env", "LAB_OS=nixos", "--env", `LAB_AUTHORIZED_KEY=${authorizedKey}`, image],
  );
  stack.defer(async () => void (await docker("rm", "--force", container)));
  const ready = async () => {
    for (let i = 0; i < 300; i++) {
      const active = await docker("exec", container, "systemctl", "is-active", "ssh.service").catch(() => "");
      if (active === "active") return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${container} does not come up:\n${await docker("logs", "--tail", "20", container)}`);
  };
  await ready();
  await seed(container, await make("good"), closures.requisites, closures.export);
  await docker("restart", "--time", "0", container);
  await ready();

  const address = await docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container);
  const target: Target = {
    name,
    address,
    port: 22,
    user,
    hostKeys: [],
    identityFile,
    via: [],
    knownHostsFile: join(dir, "known_hosts"),
    hostKeyPolicy: "accept-new",
    connectTimeoutMs: 2000,
  };
  const another = (more: Partial<SshDriverDeps> = {}) => {
    const pool = stack.use(new SessionPool({ transport: createSshTransport({ env: { HOME: dir } }) }));
    return createSshDriver({ pool, closures, targetOf: () => target, ...more });
  };
  return {
    container,
    driver: another(),
    another,
    async cache(toplevels) {
      const key = join(dir, "cache-key");
      const nix = (...args: string[]) => execa("nix", args, { env: { NIX_CONFIG: LAB_NIX_CONFIG } });
      await writeFile(key, (await nix("key", "generate-secret", "--key-name", "test-1")).stdout);
      const publicKey = (
        await execa({
          inputFile: key,
        })`nix --extra-experimental-features nix-command key convert-secret-to-public`
      ).stdout;
      await closures.push(`file://${join(dir, "cache")}?secret-key=${key}`, toplevels, { signal });
      await docker("cp", join(dir, "cache"), `${container}:/root/cache`);
      return publicKey;
    },
    makeWith,
    exec: (line) => docker("exec", container, "sh", "-c", line),
    host,
    unit: "macula-node.service",
    make,
    async powerCycle() {
      await docker("kill", container);
      await docker("start", container);
      await ready();
    },
    async ownerSays(no) {
      const program = "/etc/macula-fleet/consent.d/50-owner";
      if (no === null) return void (await docker("exec", container, "rm", "-f", program));
      const end = no.until === 0 ? "" : `echo until=${no.until}\n`;
      const text = `#!/bin/sh\necho '${no.reason}'\n${end}exit ${no.broken ? 1 : 21}\n`;
      const line = `mkdir -p /etc/macula-fleet/consent.d && printf %s "$1" > ${program} && chmod 755 ${program}`;
      await docker("exec", container, "sh", "-c", line, "sh", text);
    },
    cutNetwork: async () => void (await docker("exec", container, "ip", "link", "set", "eth0", "down")),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

type Closures = ReturnType<typeof createLabClosureSource>;

async function seed(
  container: string,
  toplevel: string,
  requisites: Closures["requisites"],
  exported: Closures["export"],
): Promise<void> {
  const paths = (await requisites(toplevel, { signal })).map((p) => p.path);
  const importing = execa("docker", ["exec", "-i", container, "nix-store", "--import"], { stdout: "ignore" });
  for await (const chunk of exported(paths, { signal })) importing.stdin.write(chunk);
  importing.stdin.end();
  await importing;
  await docker("exec", container, "nix-env", "-p", "/nix/var/nix/profiles/system", "--set", toplevel);
  await docker("exec", container, "sh", "-c", `echo ${toplevel} > /boot/lab-default`);
}
