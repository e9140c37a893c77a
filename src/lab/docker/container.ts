/** The containers of a lab and how they are told apart from everybody else's. [pure] */
import type { Suite } from "./image.ts";

export const LAB_LABEL = "macula-fleet.lab";

export interface ContainerSpec {
  /** Unique on the engine. */
  readonly container: string;
  /** Name the host gives itself. */
  readonly hostName: string;
  readonly image: string;
  readonly network: string;
  readonly address: string;
  readonly authorizedKey: string;
  /** The lab's id: what `lab down` removes by. */
  readonly lab: string;
  /** Wait for a first system instead of booting plain Debian. */
  readonly seeded: boolean;
}

/**
 * `docker run` for one host: systemd as PID 1 without `--privileged`. The restart policy is the machine's firmware:
 * a reboot or a kernel panic starts it again, a power cut (`docker kill`) does not.
 */
export function runArguments(spec: ContainerSpec): readonly string[] {
  return [
    ...["run", "--detach", "--name", spec.container, "--hostname", spec.hostName],
    ...["--label", `${LAB_LABEL}=${spec.lab}`, "--network", spec.network, "--ip", spec.address],
    ...["--restart", "always", "--stop-signal", "SIGRTMIN+3", "--cgroupns", "private"],
    ...["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "apparmor=unconfined"],
    ...["--tmpfs", "/run:exec,mode=755", "--tmpfs", "/tmp:exec,mode=1777"],
    ...["--env", "LAB_OS=nixos", "--env", `LAB_AUTHORIZED_KEY=${spec.authorizedKey}`],
    ...(spec.seeded ? ["--env", "LAB_SEEDED=1"] : []),
    spec.image,
  ];
}

/** Which kind of machine and which way to root host number `i` (from 0) has: a mixture, as real fleets are. */
export function hostFlavour(i: number): {
  readonly suite: Suite;
  readonly user: "root" | "deploy" | "admin";
} {
  const suite: Suite = i % 2 === 0 ? "trixie" : "bookworm";
  return { suite, user: i % 4 === 1 ? "deploy" : i % 4 === 2 ? "admin" : "root" };
}

/** The `n`th address (from 0) of an IPv4 subnet that is not its gateway: `172.20.0.0/16` -> `172.20.0.2`. */
export function hostAddress(subnet: string, n: number): string {
  const base = (subnet.split("/")[0] ?? "").split(".").map(Number);
  const value = base.reduce((sum, octet) => sum * 256 + octet, 0) + 2 + n;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** Puts the first system in place (an export stream on stdin), lets the host boot into it, prints its host key. */
export const SEED_SCRIPT = `set -e
nix-store --import > /dev/null
nix-env --profile /nix/var/nix/profiles/system --set "$1"
until [ -s /etc/ssh/ssh_host_ed25519_key.pub ]; do sleep 0.05; done
cat /etc/ssh/ssh_host_ed25519_key.pub
echo "$1" > /boot/lab-default.new
mv /boot/lab-default.new /boot/lab-default`;

/** Returns once logins are served. */
export const READY_SCRIPT = "until systemctl is-active --quiet ssh.service 2> /dev/null; do sleep 0.1; done";
