/** Where a lab keeps its files. `lab down` removes exactly these and nothing else. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export interface LabLayout {
  readonly dir: string;
  readonly inventory: string;
  readonly identity: string;
  readonly identityPub: string;
  readonly knownHosts: string;
  /** What runs: pid, ports, token of the control channel. */
  readonly lab: string;
  readonly releases: string;
  readonly log: string;
  /** One file per host: keys, and its disk when the lab was put down with `keep`. */
  readonly hosts: string;
  readonly bin: string;
  readonly nixosAnywhere: string;
  /** Compiled code of the stand-in for nixos-anywhere. */
  readonly cache: string;
  /** For the controller's own state of this lab, so that it goes with the lab. */
  readonly state: string;
}

export function labLayout(dir: string): LabLayout {
  const root = resolve(dir);
  return {
    dir: root,
    inventory: join(root, "inventory.yaml"),
    identity: join(root, "id_ed25519"),
    identityPub: join(root, "id_ed25519.pub"),
    knownHosts: join(root, "known_hosts"),
    lab: join(root, "lab.json"),
    releases: join(root, "releases.json"),
    log: join(root, "lab.log"),
    hosts: join(root, "hosts"),
    bin: join(root, "bin"),
    nixosAnywhere: join(root, "bin", "nixos-anywhere"),
    cache: join(root, "cache"),
    state: join(root, "state"),
  };
}

/** `$XDG_STATE_HOME/macula-fleet/lab`, by default `~/.local/state/macula-fleet/lab`. */
export function defaultLabDir(env: Readonly<Record<string, string | undefined>>): string {
  const home = env.XDG_STATE_HOME || join(env.HOME || homedir(), ".local", "state");
  return join(home, "macula-fleet", "lab");
}

/** The controller's state file for a lab, as `--state` takes it: a lab's runs live and die with the lab. */
export const labState = (dir: string): string => join(labLayout(dir).state, "state.db");
