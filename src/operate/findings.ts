/** Where a host is not what the fleet made it. Pure. */
import type { Observation } from "../host/protocol.ts";
import type { HostRecord } from "../store/store.ts";

export interface HostFinding {
  readonly kind:
    | "uncommitted"
    | "unexpected-system"
    | "boot-default"
    | "reboot-pending"
    | "failed-units"
    | "foreign"
    | "run-active"
    | "revert-failed";
  /** A few words, for a table. */
  readonly short: string;
  readonly message: string;
  readonly fix: string;
}

type Rule = (o: Observation, record: HostRecord | undefined, host: string) => HostFinding | null;

const name = (path: string): string => path.replace(/^\/nix\/store\/[0-9a-z]{32}-/, "") || "nothing";

/** A new kind of drift is one entry here. */
const RULES: readonly Rule[] = [
  (o, _record, host) =>
    o.current === "" || o.profile === "" || o.current === o.profile
      ? null
      : {
          kind: "uncommitted",
          short: "uncommitted test system",
          message: `runs ${name(o.current)}, which was never committed: a reboot brings back ${name(o.profile)}`,
          fix: `a rollout commits or reverts it; or macula-fleet reboot ${host}`,
        },
  (o, record, host) =>
    record?.lastHealthy === undefined || o.profile === "" || o.profile === record.lastHealthy
      ? null
      : {
          kind: "unexpected-system",
          short: "not what was rolled out",
          message: `its profile is ${name(o.profile)}; the last system this fleet committed was ${name(record.lastHealthy)}`,
          fix: `look at it with macula-fleet generations ${host}, then roll out to it again (--force) or macula-fleet rollback ${host}`,
        },
  (o, _record, host) =>
    o.bootDefault === "" || o.profile === "" || o.bootDefault === o.profile
      ? null
      : {
          kind: "boot-default",
          short: "boots another system",
          message: `the next boot starts ${name(o.bootDefault)}, not its profile ${name(o.profile)}`,
          fix: `macula-fleet exec -l ${host} --root -- /nix/var/nix/profiles/system/bin/switch-to-configuration boot`,
        },
  (o, _record, host) =>
    o.rebootPending
      ? {
          kind: "reboot-pending",
          short: "reboot pending",
          message: "runs an older kernel, initrd or modules than its system has",
          fix: `macula-fleet reboot ${host}`,
        }
      : null,
  (o, _record, host) =>
    o.failedUnits.length === 0
      ? null
      : {
          kind: "failed-units",
          short: o.failedUnits.length === 1 ? "1 failed unit" : `${o.failedUnits.length} failed units`,
          message: `failed: ${o.failedUnits.join(", ")}`,
          fix: `macula-fleet exec -l ${host} -- systemctl --failed`,
        },
  (o) =>
    o.foreign.length === 0
      ? null
      : {
          kind: "foreign",
          short: `also set by ${o.foreign.join(", ")}`,
          message: `something else sets systems here, too: ${o.foreign.join(", ")}`,
          fix: "disable it in the host's configuration: two masters undo each other",
        },
  (o) =>
    o.otherRuns.length === 0
      ? null
      : {
          kind: "run-active",
          short: "a run is active",
          message: `active: ${o.otherRuns.join(", ")}`,
          fix: "macula-fleet rollout status",
        },
  (o, _record, host) =>
    o.state?.phase === "revert-failed"
      ? {
          kind: "revert-failed",
          short: "could not revert itself",
          message: `run ${o.state.rollout} could not bring back ${name(o.state.from)}: needs a human`,
          fix: `macula-fleet rollout status ${o.state.rollout} --host ${host}, then macula-fleet ssh ${host}`,
        }
      : null,
];

export function findingsOf(
  host: string,
  observation: Observation,
  record: HostRecord | undefined,
): readonly HostFinding[] {
  return RULES.flatMap((rule) => rule(observation, record, host) ?? []);
}
