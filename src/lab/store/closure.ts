/** The contents of a simulated system: paths shared by all hosts and releases, and those of one release and host. */
import { BEHAVIOURS, type Behaviour, type StoreEntry, type SystemDescription } from "../machine/system.ts";
import { contentOf, narSize } from "./export-stream.ts";
import { nameOfPath, storePath } from "./paths.ts";

const KiB = 1024;

/** Name and KiB of what every lab system shares; dependencies first, each refers to the first one. */
const SHARED: readonly (readonly [string, number])[] = [
  ["glibc-2.42", 280],
  ["bash-5.3", 90],
  ["coreutils-9.8", 110],
  ["openssl-3.6.0", 160],
  ["systemd-258.2", 340],
  ["openssh-10.2p1", 80],
  ["nix-2.31.2", 220],
  ["linux-firmware-20261110", 180],
  ["k3s-1.34.2", 400],
  ["erlang-28.1", 260],
  ["util-linux-2.41", 70],
  ["iproute2-6.17", 40],
];

/** Only what a live switch cannot exchange differs in a system that needs a reboot. */
const kernelOf = (behaviour: Behaviour, revision: string): string =>
  behaviour === "needs-reboot" || behaviour === "no-boot" ? `6.18.0-${revision}` : "6.12.58";

export function describeSystem(host: string, revision: string, behaviour: Behaviour): SystemDescription {
  return {
    host,
    revision,
    behaviour,
    version: `26.05.lab-${revision}`,
    kernel: kernelOf(behaviour, revision),
  };
}

export const toplevelPath = (s: Pick<SystemDescription, "host" | "revision" | "behaviour">): string =>
  storePath(`nixos-system-${s.host}-${s.revision}`, s.host, s.revision, s.behaviour);

/** The system a toplevel path stands for, or null when no lab system has this path. */
export function systemOfPath(path: string): SystemDescription | null {
  const words = nameOfPath(path).split("-");
  if (words[0] !== "nixos" || words[1] !== "system") return null;
  for (let split = 3; split < words.length; split++) {
    const host = words.slice(2, split).join("-");
    const revision = words.slice(split).join("-");
    for (const behaviour of BEHAVIOURS) {
      if (toplevelPath({ host, revision, behaviour }) === path)
        return describeSystem(host, revision, behaviour);
    }
  }
  return null;
}

function entry(name: string, kib: number, refs: readonly string[], salt = ""): StoreEntry {
  return { path: storePath(name, salt), size: narSize(kib * KiB), refs };
}

/** Every path of a system's closure, dependencies first, the toplevel last. */
export function closureOf(system: SystemDescription): readonly StoreEntry[] {
  const shared: StoreEntry[] = [];
  for (const [name, kib] of SHARED) {
    const root = shared[0];
    shared.push(entry(name, kib, root ? [root.path] : []));
  }
  const { host, revision, behaviour } = system;
  const all = shared.map((e) => e.path);
  const release = [
    entry(`linux-${system.kernel}`, 240, []),
    entry(`macula-node-${revision}`, 96, all.slice(0, 1), behaviour),
    entry(`unit-macula-node.service-${revision}`, 2, [], behaviour),
  ];
  const etc = entry(
    `etc-${host}`,
    12,
    release.slice(1).map((e) => e.path),
    `${revision} ${behaviour}`,
  );
  const path = toplevelPath(system);
  const toplevel: StoreEntry = {
    path,
    size: narSize(contentOf(path, 0, system).length),
    refs: [...all, ...release.slice(0, 1).map((e) => e.path), etc.path],
    system,
  };
  return [...shared, ...release, etc, toplevel];
}
