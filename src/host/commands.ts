/** Every command a host gets, as data. All of them are one word of argv: the rest travels over stdin. */
import { checkParameters } from "../health/checks.ts";
import type { CheckConfig } from "../inventory/model.ts";
import type { Secret } from "../kernel/secret.ts";
import { type Command, type Parameter, sh, withParameters } from "../kernel/shell.ts";
import type { Activation, HostNote, HostSecret } from "./driver.ts";
import { type ScriptName, scripts } from "./scripts.ts";

/** How a session becomes root. `none`: it cannot; only reading works. */
export type Elevation = "root" | "sudo" | "doas" | "none";

const PREFIX: Readonly<Record<Elevation, readonly string[]>> = {
  root: [],
  sudo: ["sudo", "-n"],
  doas: ["doas", "-n"],
  none: [],
};

/** A script of the protocol, run by `sh -s` under `elevation`. */
export function scriptCommand(
  name: ScriptName,
  elevation: Elevation,
  parameters: Readonly<Record<string, Parameter>> = {},
): Command {
  return {
    line: sh`${[...PREFIX[elevation], "sh", "-s"]}`,
    stdin: withParameters(scripts[name], parameters),
    label: name,
  };
}

/** Which ways to root this login has: prints `root`, `sudo`, `doas` or `none`. Works in any login shell. */
export const elevationProbe: Command = {
  line: sh`sh -s`,
  stdin:
    'if [ "$(id -u)" = 0 ]; then echo root; elif sudo -n true 2>/dev/null </dev/null; then echo sudo; ' +
    "elif doas -n true 2>/dev/null </dev/null; then echo doas; else echo none; fi\n",
  label: "elevation",
};

/** Feeds a gzipped `nix-store --export` stream into the host's store. The stream is stdin, so the script is argv. */
export function receiveCommand(elevation: Elevation, stream: AsyncIterable<Uint8Array>): Command {
  return { line: receiveLine(elevation), stdin: stream, label: "receive" };
}

/** Its line alone: what the simulator recognises. `--import` prints the paths it took in. */
export function receiveLine(elevation: Elevation): string {
  const script =
    'PATH="$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin"; export PATH; ' +
    "gzip -dc | nix-store --import";
  return sh`${[...PREFIX[elevation], "sh", "-c", script]}`;
}

/** Parameters that name an activation. */
export function activationParameters(a: Activation): Readonly<Record<string, Parameter>> {
  return {
    RUN: a.rollout,
    ATTEMPT: a.attempt,
    FENCE: a.fence,
    FROM: a.from,
    TO: a.to,
    MODE: a.mode,
    CONFIRM_TIMEOUT: Math.max(1, Math.ceil(a.confirmTimeoutMs / 1000)),
  };
}

const activationOnly = (a: Activation): Readonly<Record<string, Parameter>> => ({
  MAY_REBOOT: a.mayReboot ?? true,
  IGNORE_UNITS: (a.ignoreUnits ?? []).join("\n"),
  IGNORE_CONSENT: a.ignoreConsent ?? false,
});

export interface Lending {
  readonly run: string;
  /** Hex. */
  readonly token: Secret;
  readonly port: number;
  readonly leaseSeconds: number;
  readonly paths: readonly string[];
}

export interface Borrowing {
  /** IPv4. */
  readonly address: string;
  readonly port: number;
  readonly token: Secret;
  /** Dependencies first; hashes as `nix-store --query --hash` prints them. */
  readonly paths: readonly { readonly path: string; readonly hash: string }[];
}

const secretParameters = (secret: HostSecret, i: number): Readonly<Record<string, Parameter>> => ({
  [`SECRET_${i + 1}_PATH`]: secret.path,
  [`SECRET_${i + 1}_MODE`]: secret.mode.toString(8).padStart(4, "0"),
  [`SECRET_${i + 1}_CONTENT`]: secret.content,
});

export const hostCommands = {
  probe: (elevation: Elevation, a?: Activation) =>
    scriptCommand("probe", elevation, {
      ELEVATION: elevation,
      ...(a === undefined ? {} : { RUN: a.rollout, TO: a.to }),
    }),
  facts: (elevation: Elevation) => scriptCommand("facts", elevation, { ELEVATION: elevation }),
  fetch: (elevation: Elevation, to: string, cache: { readonly url: string; readonly publicKey: string }) =>
    scriptCommand("fetch", elevation, { TO: to, CACHE_URL: cache.url, CACHE_KEY: cache.publicKey }),
  lend: (elevation: Elevation, o: Lending) =>
    scriptCommand("lend", elevation, {
      RUN: o.run,
      TOKEN: o.token,
      PORT: o.port,
      LEASE: o.leaseSeconds,
      PATHS: o.paths.join("\n"),
    }),
  borrow: (elevation: Elevation, o: Borrowing) =>
    scriptCommand("borrow", elevation, {
      ADDRESS: o.address,
      PORT: o.port,
      TOKEN: o.token,
      HASHES: o.paths.map(({ path, hash }) => `${path} ${hash}`).join("\n"),
    }),
  missing: (elevation: Elevation, paths: readonly string[]) =>
    scriptCommand("missing", elevation, { PATHS: paths.join("\n") }),
  stage: (elevation: Elevation, a: Activation) =>
    scriptCommand("stage", elevation, { RUN: a.rollout, FENCE: a.fence, FROM: a.from, TO: a.to }),
  deliver: (
    elevation: Elevation,
    secrets: readonly HostSecret[],
    o: { readonly fence?: number; readonly restart?: boolean },
  ) =>
    scriptCommand("deliver", elevation, {
      FENCE: o.fence ?? 0,
      RESTART: o.restart ?? false,
      SECRET_COUNT: secrets.length,
      ...Object.assign({}, ...secrets.map(secretParameters)),
    }),
  activate: (elevation: Elevation, a: Activation) =>
    scriptCommand("activate", elevation, { ...activationParameters(a), ...activationOnly(a) }),
  check: (
    elevation: Elevation,
    checks: readonly CheckConfig[],
    baseline: readonly string[],
    a?: Activation,
  ) =>
    scriptCommand("check", elevation, {
      ...(a === undefined ? {} : { RUN: a.rollout, FENCE: a.fence }),
      BASELINE: baseline.join("\n"),
      ...checkParameters(checks),
    }),
  commit: (elevation: Elevation, a: Activation) =>
    scriptCommand("commit", elevation, activationParameters(a)),
  /** `reason` becomes one word: lower case letters and dashes. */
  revert: (elevation: Elevation, a: Activation, reason: string) =>
    scriptCommand("revert", elevation, { ...activationParameters(a), REASON: reasonWord(reason) }),
  evidence: (elevation: Elevation, a: Activation) =>
    scriptCommand("evidence", elevation, { RUN: a.rollout, FROM: a.from, TO: a.to }),
  release: (elevation: Elevation, a: Activation) =>
    scriptCommand("release", elevation, { RUN: a.rollout, FENCE: a.fence }),
  generations: (elevation: Elevation) => scriptCommand("generations", elevation),
  note: (
    elevation: Elevation,
    kind: "hold" | "lock",
    note: (HostNote & { readonly until?: number }) | null,
  ) =>
    scriptCommand("note", elevation, {
      KIND: kind,
      ACTION: note === null ? "clear" : "set",
      ...(note === null ? {} : { BY: note.by, REASON: note.reason, UNTIL: note.until ?? 0 }),
    }),
  reboot: (elevation: Elevation, fence: number | undefined) =>
    scriptCommand("reboot", elevation, { FENCE: fence ?? 0 }),
  gc: (elevation: Elevation, keep: number) => scriptCommand("gc", elevation, { KEEP: keep }),
} as const;

const reasonWord = (reason: string): string =>
  reason
    .toLowerCase()
    .replace(/[^a-z]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40) || "operator";
