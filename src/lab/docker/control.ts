/** What can be done to a running docker lab: faults, power, releases, status. */
import { join } from "node:path";
import { closest } from "fastest-levenshtein";
import pMap from "p-map";
import { FleetError } from "../../errors.ts";
import { knownFault } from "../known-fault.ts";
import { labLayout } from "../layout.ts";
import { FAULT_KINDS, type FaultKind } from "../machine/fault.ts";
import type { Behaviour } from "../machine/system.ts";
import { matchesHost } from "../store/catalog.ts";
import { dockerCli, type Engine } from "./engine.ts";
import { releaseFile } from "./flake-release.ts";
import { commitRelease } from "./lab-flake.ts";
import { type DockerLab, type DockerLabHost, requireDockerLab } from "./record.ts";

export interface LabCall {
  readonly signal: AbortSignal;
  readonly engine?: Engine;
}

/** Adds a fault to a host, removes one (`clear`), or removes all (`none`); returns those it has now. Throws `usage` | `lab-failed`. */
export async function dockerLabFault(
  dir: string,
  name: string,
  kind: string,
  o: LabCall & { readonly clear?: boolean },
): Promise<readonly FaultKind[]> {
  const host = knownHost(requireDockerLab(dir), name);
  const fault = kind === "none" ? null : knownFault(kind);
  if (fault === "not-ready")
    throw new FleetError("usage", "not-ready is for simulated hosts: here real units are asked", {
      hint: "hang and slow keep these hosts waiting",
    });
  const has = await faultsOf(host, o);
  const wanted =
    fault === null ? [] : o.clear ? has.filter((f) => f !== fault) : [...new Set([...has, fault])];
  const docker = (...args: readonly string[]) => (o.engine ?? dockerCli).run(args, { signal: o.signal });
  const inside = (verb: string, f: FaultKind) => docker("exec", host.container, "lab-fault", verb, f);
  // A frozen host can be given nothing: thaw it first, freeze it last.
  if (has.includes("hang")) await docker("unpause", host.container);
  const own = (list: readonly FaultKind[]) => list.filter((f) => f !== "hang");
  for (const f of own(has)) if (!wanted.includes(f)) await inside("clear", f);
  for (const f of own(wanted)) if (!has.includes(f)) await inside("set", f);
  if (wanted.includes("hang")) await docker("pause", host.container);
  return wanted;
}

async function faultsOf(host: DockerLabHost, o: LabCall): Promise<readonly FaultKind[]> {
  const engine = o.engine ?? dockerCli;
  const call = { signal: o.signal };
  const paused = await engine.run(["inspect", "--format", "{{.State.Paused}}", host.container], call);
  if (paused === "true") {
    // Its own list cannot be asked for; the files can be copied out of a frozen host.
    const archive = await engine
      .run(["cp", `${host.container}:/var/lib/lab/fault`, "-"], call)
      .catch(() => "");
    return ["hang", ...FAULT_KINDS.filter((kind) => archive.includes(`fault/${kind}`))];
  }
  const list = await engine.run(["exec", host.container, "lab-fault", "list"], call);
  return FAULT_KINDS.filter((kind) => list.split("\n").includes(kind));
}

/** Pulls the plug of a host (no process gets to end itself) and, unless `off`, puts it back. */
export async function dockerLabPowerCycle(
  dir: string,
  name: string,
  o: LabCall & { readonly off?: boolean },
): Promise<void> {
  const { container } = knownHost(requireDockerLab(dir), name);
  const docker = (...args: readonly string[]) => (o.engine ?? dockerCli).run(args, { signal: o.signal });
  const state = await docker("inspect", "--format", "{{.State.Status}}", container);
  if (state === "paused") await docker("unpause", container);
  if (state !== "exited") await docker("kill", container);
  if (!o.off) await docker("start", container);
}

export interface DockerLabReleaseOptions extends LabCall {
  /** Default good. */
  readonly behaviour?: Behaviour;
  /** Host name globs the behaviour is limited to; elsewhere the release is good. */
  readonly hosts?: readonly string[];
}

/** Commits a release to the lab's flake, tags it with its name (for `--to`) and makes it the head. */
export async function dockerLabRelease(dir: string, name: string, o: DockerLabReleaseOptions): Promise<void> {
  const lab = requireDockerLab(dir);
  if (!/^[0-9A-Za-z][0-9A-Za-z+._=-]{0,63}$/.test(name) || name.includes("..")) {
    throw new FleetError("usage", `"${name}" cannot name a release of the lab`, {
      hint: "use letters, digits, dots, dashes and underscores, at most 64",
    });
  }
  const { hosts } = o;
  const limited = hosts && lab.hosts.map((h) => h.name).filter((host) => matchesHost(hosts, host));
  await commitRelease(
    join(labLayout(dir).dir, "flake"),
    releaseFile(name, o.behaviour ?? "good", limited),
    o.signal,
  );
}

export interface DockerHostReport extends DockerLabHost {
  readonly power: "on" | "off" | "hung";
  /** Empty when it cannot be asked. */
  readonly current: string;
  readonly profile: string;
  readonly bootDefault: string;
  readonly faults: readonly FaultKind[];
}

/** Every host as it is now, asked through the engine, not over ssh. */
export async function dockerLabStatus(dir: string, o: LabCall): Promise<readonly DockerHostReport[]> {
  const engine = o.engine ?? dockerCli;
  const script = `readlink /run/current-system || echo; readlink -f /nix/var/nix/profiles/system || echo; cat /boot/lab-default`;
  const report = async (host: DockerLabHost): Promise<DockerHostReport> => {
    const format = "{{.State.Status}}";
    const state = await engine.run(["inspect", "--format", format, host.container], { signal: o.signal });
    if (state === "paused") {
      const faults = await faultsOf(host, o);
      return { ...host, power: "hung", current: "", profile: "", bootDefault: "", faults };
    }
    if (state !== "running") {
      return { ...host, power: "off", current: "", profile: "", bootDefault: "", faults: [] };
    }
    const said = await engine.run(["exec", host.container, "sh", "-c", script], { signal: o.signal });
    const [current = "", profile = "", bootDefault = ""] = said.split("\n");
    return { ...host, power: "on", current, profile, bootDefault, faults: await faultsOf(host, o) };
  };
  return pMap(requireDockerLab(dir).hosts, report, { concurrency: 4, signal: o.signal });
}

function knownHost(lab: DockerLab, name: string): DockerLabHost {
  const host = lab.hosts.find((h) => h.name === name);
  if (host) return host;
  const names = lab.hosts.map((h) => h.name);
  throw new FleetError("usage", `the lab has no host "${name}"; did you mean ${closest(name, names)}?`);
}
