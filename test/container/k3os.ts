/** Lab hosts as k3OS nodes (BusyBox userland) and as members of a k3s cluster, whose k3s is the stand-in of `k3os/k3s`. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { dockerLabPowerCycle } from "../../src/lab/docker/control.ts";
import { dockerCli } from "../../src/lab/docker/engine.ts";
import { labLayout } from "../../src/lab/layout.ts";
import { type LabFixture, signal } from "./fixture.ts";

const here = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));

export interface Member {
  readonly name: string;
  readonly role: "server" | "agent";
  readonly version: string;
  readonly token: string;
  /** Address of the host that keeps the cluster's state. */
  readonly store: string;
}

/** The stand-in and its settings; started by systemd where the host runs NixOS, by "OpenRC" where it is k3OS. */
export async function joinCluster(lab: LabFixture, m: Member): Promise<void> {
  const { container, exec } = lab.host(m.name);
  await exec("mkdir -p /usr/local/lib /usr/local/bin");
  for (const [from, to] of [
    ["/bin/busybox", "/usr/local/lib/busybox"],
    [here("k3os/k3s"), "/usr/local/bin/k3s"],
  ] as const)
    await dockerCli.run(["cp", from, `${container.container}:${to}`], { signal });
  const isStore = m.store === lab.host(m.name).host.address;
  await exec(`set -e
chmod 755 /usr/local/bin/k3s /usr/local/lib/busybox
printf 'STORE=%s NAME=%s VERSION=%s\\n' ${m.store} ${m.name} ${m.version} > /etc/lab-k3s
echo ${m.token} > /etc/lab-k3s-token
echo ${m.role} > /etc/lab-k3s-role
units=/etc/systemd/system
mkdir -p $units/multi-user.target.wants $units/sockets.target.wants
cat > $units/k3s.service << 'END'
[Unit]
ConditionPathExists=|/etc/NIXOS
ConditionPathExists=|/mnt/etc/NIXOS
[Service]
ExecStart=/usr/local/bin/k3s ${m.role}
END
ln -sf ../k3s.service $units/multi-user.target.wants/
if [ ${isStore} = true ]; then
  mkdir -p /var/lib/fake-k3s && echo ${m.token} > /var/lib/fake-k3s/token
  printf '[Socket]\\nListenStream=6400\\nAccept=yes\\nMaxConnections=100\\nTriggerLimitIntervalSec=0\\n' > $units/lab-store.socket
  printf '[Service]\\nExecStart=/usr/local/bin/k3s handle\\nStandardInput=socket\\nStandardError=journal\\n' > $units/lab-store@.service
  ln -sf ../lab-store.socket $units/sockets.target.wants/
fi
systemctl daemon-reload
[ ${isStore} = false ] || systemctl start lab-store.socket
systemctl start k3s`);
}

/** The host boots k3OS with the files below `tree` from now on, and serves ssh to `macula`. */
export async function becomeK3os(
  lab: LabFixture,
  name: string,
  tree: string,
  role: "server" | "agent",
): Promise<void> {
  const { container, exec, host } = lab.host(name);
  // A host keeps the keys it has; everything else comes from the tree.
  await rm(join(tree, "etc/ssh"), { recursive: true, force: true });
  await exec(await readFile(here("install/as-debian.sh"), "utf8"));
  await exec("mkdir -p /k3os");
  const files = execa("tar", ["-C", tree, "-cf", "-", "."], { encoding: "buffer", buffer: false });
  await dockerCli.run(
    ["exec", "-i", container.container, "tar", "-C", "/k3os", "--numeric-owner", "-xpf", "-"],
    { signal, input: files.iterable({ from: "stdout", binary: true, preserveNewlines: true }) },
  );
  await exec(await readFile(here("k3os/make-root.sh"), "utf8"));
  await exec(`echo ${role} > /k3os/etc/lab-k3s-role`);
  await dockerLabPowerCycle(lab.dir, name, { signal });
  const { identity, knownHosts } = labLayout(lab.dir);
  const options = [
    ...["-i", identity, "-o", "IdentitiesOnly=yes", "-o", `UserKnownHostsFile=${knownHosts}`, "-F", "none"],
    ...["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3"],
  ];
  for (;;) {
    const tried = await execa("ssh", [...options, `macula@${host.address}`, "true"], { reject: false });
    if (tried.exitCode === 0) return;
    if (!/refused|timed out|closed|reset/.test(tried.stderr)) throw new Error(tried.stderr);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
