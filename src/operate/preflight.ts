/** Is a host ready to be installed or rolled out to? One rule per trouble; a new one is one entry. Pure. */
import type { Failure } from "../errors.ts";
import type { HostFacts, Observation } from "../host/protocol.ts";
import { judge } from "../install/checks/index.ts";
import type { Host } from "../inventory/model.ts";
import type { HostRecord } from "../store/store.ts";
import { findingsOf } from "./findings.ts";

export interface PreflightProblem {
  readonly check: string;
  /** An `error` would stop a rollout or installation at this host. */
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly fix: string;
}

export interface Seen {
  readonly observation: Observation;
  /** Host's clock minus ours, ms; only as exact as the round trip, and the host's clock has whole seconds. */
  readonly skewMs: number;
  readonly record: HostRecord | undefined;
  /** Bytes of the system that would come, when it was built. */
  readonly closureBytes?: number;
}

/** KiB: less than this and Nix itself stumbles. */
const LEAST_STORE = 1024 * 1024;
/** KiB: a kernel and an initrd beside those that are there. */
const LEAST_BOOT = 64 * 1024;
const MOST_SKEW_MS = 30_000;

type Rule = (seen: Seen, host: Host) => PreflightProblem | null;

const problem = (
  check: string,
  severity: PreflightProblem["severity"],
  message: string,
  fix: string,
): PreflightProblem => ({ check, severity, message, fix });

const mib = (kib: number): string => `${Math.floor(kib / 1024)} MiB`;

const RULES: readonly Rule[] = [
  ({ observation: o }, host) =>
    o.elevation === "none"
      ? problem(
          "elevation",
          "error",
          `${host.user} cannot become root`,
          `allow ${host.user} sudo or doas without a password there, or set user: root`,
        )
      : null,
  ({ observation: o }) =>
    o.nix === ""
      ? problem("nix", "error", "has no Nix in its path", "install it: macula-fleet install")
      : isBefore(o.nix, [2, 3])
        ? problem("nix", "error", `its Nix ${o.nix} is older than 2.3`, "install it: macula-fleet install")
        : null,
  ({ observation: o }) =>
    o.nix !== "" && !o.trustedUser && o.elevation === "none"
      ? problem(
          "trusted-user",
          "error",
          "the login is no trusted user of its Nix: it could not receive systems",
          "log in as root, allow sudo or doas, or add the user to trusted-users",
        )
      : null,
  ({ observation: o }, host) =>
    o.arch !== host.arch.replace("-linux", "")
      ? problem(
          "arch",
          "error",
          `is ${o.arch}, the inventory says ${host.arch}`,
          "correct arch in the inventory",
        )
      : null,
  ({ observation: o, closureBytes }, host) => {
    const need = closureBytes === undefined ? LEAST_STORE : Math.ceil(closureBytes / 1024);
    if (o.disk.storeFree >= need) return null;
    const why =
      closureBytes === undefined
        ? `${mib(o.disk.storeFree)} free in /nix/store`
        : `${mib(o.disk.storeFree)} free in /nix/store; the whole system is ${mib(need)}, of which it may have parts`;
    return problem("disk", "warning", why, `macula-fleet gc -l ${host.name}`);
  },
  ({ observation: o }, host) =>
    ["systemd-boot", "grub", "extlinux"].includes(o.loader) && o.disk.bootFree < LEAST_BOOT
      ? problem(
          "boot-disk",
          "warning",
          `${mib(o.disk.bootFree)} free in /boot`,
          `macula-fleet gc -l ${host.name} --keep 2`,
        )
      : null,
  ({ observation: o, record }, host) => {
    const held = o.hold ?? record?.held;
    const fix = `macula-fleet unhold ${host.name}`;
    return held ? problem("hold", "error", `held by ${held.by}: ${held.reason}`, fix) : null;
  },
  ({ observation: o }, host) =>
    o.lock
      ? problem(
          "lock",
          "error",
          `locked by ${o.lock.by}: ${o.lock.reason}`,
          `ask them, or macula-fleet unlock ${host.name} --force`,
        )
      : null,
  ({ skewMs }) =>
    Math.abs(skewMs) > MOST_SKEW_MS
      ? problem(
          "clock",
          "warning",
          `its clock is ${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? "ahead of" : "behind"} ours`,
          "check its time service: certificates and tokens break first",
        )
      : null,
];

/** Findings that stop a rollout; the others only deserve a look. */
const BLOCKING = new Set(["run-active", "revert-failed", "unexpected-system", "uncommitted"]);

export function preflight(host: Host, seen: Seen): readonly PreflightProblem[] {
  const own = RULES.flatMap((rule) => rule(seen, host) ?? []);
  const drift = findingsOf(host.name, seen.observation, seen.record).map(
    ({ kind, message, fix }): PreflightProblem => ({
      check: kind,
      severity: BLOCKING.has(kind) ? "error" : "warning",
      message,
      fix,
    }),
  );
  return [...own, ...drift];
}

/** A machine that waits for its installation. */
export function preflightInstall(host: Host, facts: HostFacts): readonly PreflightProblem[] {
  return judge(host, facts).map(({ code, severity, message, fix }) =>
    problem(code, severity === "refuse" ? "error" : "warning", message, fix),
  );
}

export function preflightFailure(host: Host, failure: Failure): PreflightProblem {
  const prefix = `${host.name}: `;
  const message = failure.message.startsWith(prefix) ? failure.message.slice(prefix.length) : failure.message;
  return problem(failure.code, "error", message, failure.hint ?? `look for yourself: ssh -v ${host.address}`);
}

/** No system of NixOS runs there: it is one to install. */
export const isBlank = (o: Observation): boolean => o.current === "" || o.os.variant === "installer";

function isBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a < major || (a === major && b < minor);
}
