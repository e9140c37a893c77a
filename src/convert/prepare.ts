/** Before anything is erased: out of the cluster's use, everything stopped, everything copied and proved. */
import { mkdir, writeFile } from "node:fs/promises";
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import type { Command } from "../kernel/shell.ts";
import type { HostState } from "../rollout/events.ts";
import type { Completed, Session } from "../transport/transport.ts";
import { checkDatastore } from "./backup/datastore.ts";
import { archiveName, type Backup, changesSince, freeArchiveName, takeBackup } from "./backup/take.ts";
import type { ConvertDeps } from "./deps.ts";
import { cluster, parseNodes, quorumProblem } from "./k3s/kubectl.ts";
import { onServer, runOrThrow } from "./k3s/on-server.ts";
import type { ConversionPlan } from "./plan.ts";
import { startServices, stopServices } from "./service.ts";
import { survey } from "./survey.ts";

export type Say = (state: HostState, msg: string, detail?: Record<string, unknown>) => Promise<void>;

/** What an earlier attempt did. */
export interface Done {
  readonly drained: boolean;
  /** The archive it proved: still good if the node has not changed since. */
  readonly archive: Backup | null;
}

/** Throws with the node's disk untouched; `undo` puts it back into service. */
export async function prepare(
  plan: ConversionPlan,
  host: Host,
  deps: ConvertDeps,
  say: Say,
  signal: AbortSignal,
  done: Done,
): Promise<Backup> {
  const { conversion } = plan;
  await using session = await deps.connect(host, signal);
  await say("preflight", "looks at it once more");
  await assertUnchanged(session, plan, signal);
  await assertQuorum(plan, deps, signal);
  await say(
    "draining",
    conversion.node ? "moves its pods to other nodes, stops k3s" : "stops k3s and what writes",
  );
  // A server that was stopped by an earlier attempt can be asked nothing any more.
  if (conversion.node && !done.drained) {
    await onCluster(plan, deps, cluster.cordon(conversion.node.name), signal);
    await evidence(plan, deps, signal);
    // Alone in its cluster there is nowhere to move pods to.
    if (
      conversion.strategy.ok &&
      conversion.strategy.kind !== "fresh" &&
      conversion.strategy.kind !== "carry"
    ) {
      await onCluster(plan, deps, cluster.drain(conversion.node.name, deps.drainSeconds), signal);
    }
  }
  if (conversion.strategy.ok && conversion.strategy.kind === "etcd-member" && !done.drained) {
    await runOrThrow(session, cluster.snapshot(`macula-fleet-${plan.id}`), host.name, { signal });
  }
  await runOrThrow(session, stopServices, host.name, { signal });
  if (done.archive !== null) {
    await say("saving", "looks whether its archive is still what is on it");
    const [change] = await changesSince(done.archive, session, signal);
    if (change === undefined) return done.archive;
    await say("saving", `/${change.path} ${change.what} since it was archived: copies again`);
  } else await say("saving", "copies its state to this machine, encrypted");
  const backup = await takeBackup(session, {
    host: host.name,
    path: await freeArchiveName(deps.archiveDir, host.name, plan.id),
    key: deps.key,
    signal,
  });
  const datastore = await checkDatastore(backup.file, deps.key, deps.archiveDir);
  if (datastore?.ok === false) {
    throw new FleetError("copy-failed", `the cluster's datastore is damaged: ${datastore.detail}`, {
      hint: "repair or restore it on the node first; nothing was erased",
    });
  }
  await say("saving", "the archive is whole: equal on both ends, and read again", {
    archive: backup.file,
    sha256: backup.sha256,
    bytes: backup.bytes,
  });
  return backup;
}

/** The old system serves again. Throws install-refused when it does not run, or its cluster has let it go. */
export async function undo(
  plan: ConversionPlan,
  host: Host,
  deps: ClusterDeps,
  signal: AbortSignal,
): Promise<void> {
  await using session = await deps.connect(host, signal);
  const now = await survey(session, signal);
  const go = `macula-fleet convert ${host.name} --continue`;
  if (now.os !== plan.conversion.survey.os) {
    throw new FleetError("install-refused", `${host.name} runs ${now.os || "something else"}, not k3OS`, {
      hint: `its disk is untouched: switch it off and on, which brings k3OS back, then undo again; or ${go}`,
    });
  }
  const { node, strategy } = plan.conversion;
  if (node && strategy.ok && strategy.kind === "etcd-member") {
    const { stdout } = await onCluster(plan, deps, cluster.nodes(), signal);
    if (!parseNodes(stdout).some((n) => n.name === node.name))
      throw new FleetError(
        "install-refused",
        `its cluster has forgotten ${node.name}, and its member of etcd with it`,
        {
          hint: `it can only be finished: ${go}`,
        },
      );
  }
  await runOrThrow(session, startServices, host.name, { signal });
  if (node) await onCluster(plan, deps, cluster.uncordon(node.name), signal);
}

async function assertUnchanged(session: Session, plan: ConversionPlan, signal: AbortSignal): Promise<void> {
  const before = plan.conversion.survey;
  const now = await survey(session, signal);
  for (const field of ["os", "role", "datastore", "version", "luks", "hostKey"] as const) {
    if (now[field] !== before[field]) {
      throw new FleetError(
        "plan-stale",
        `${field} is ${String(now[field])} now, was ${String(before[field])} when planned`,
        { hint: `look again: macula-fleet convert ${plan.conversion.host} --plan` },
      );
    }
  }
}

/** A member of etcd may go only as long as the others are a majority; asked again before each step that counts on it. */
export async function assertQuorum(
  plan: ConversionPlan,
  deps: ConvertDeps,
  signal: AbortSignal,
): Promise<void> {
  const { node, strategy } = plan.conversion;
  if (!node || !strategy.ok || strategy.kind !== "etcd-member") return;
  const { stdout } = await onCluster(plan, deps, cluster.nodes(), signal);
  const problem = quorumProblem(parseNodes(stdout), node.name);
  if (problem === null) return;
  throw new FleetError(
    "install-refused",
    `${plan.conversion.host} may not leave its cluster now: ${problem}`,
    {
      hint: `bring the other servers up, then: macula-fleet convert ${plan.conversion.host} --continue`,
    },
  );
}

/** What ran there, for people: restoring from it is not promised. */
async function evidence(plan: ConversionPlan, deps: ConvertDeps, signal: AbortSignal): Promise<void> {
  const { stdout } = await onCluster(plan, deps, cluster.everything(), signal);
  await mkdir(deps.archiveDir, { recursive: true, mode: 0o700 });
  await writeFile(`${archiveName(deps.archiveDir, plan.conversion.host, plan.id)}.cluster.yaml`, stdout, {
    mode: 0o600,
  });
}

/** What it takes to speak to a node and to a server of its cluster. */
export interface ClusterDeps extends Pick<ConvertDeps, "connect"> {
  readonly install: Pick<ConvertDeps["install"], "hosts">;
}

/** Through the server that the plan speaks to. */
export const onCluster = (
  { conversion }: ConversionPlan,
  { install: { hosts }, connect }: ClusterDeps,
  command: Command,
  signal: AbortSignal,
): Promise<Completed> => onServer(conversion.server ?? conversion.host, command, { hosts, connect, signal });
