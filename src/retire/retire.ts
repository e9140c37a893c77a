/** Takes a host out of use, step by step; what is done already is not done again. */

import type { ArchiveKey } from "../convert/backup/keys.ts";
import { archiveName, takeBackup } from "../convert/backup/take.ts";
import { cluster, parseNodes, quorumProblem } from "../convert/k3s/kubectl.ts";
import { onServer, runOrThrow, type ServerDeps } from "../convert/k3s/on-server.ts";
import { stopServices } from "../convert/service.ts";
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import type { Command } from "../kernel/shell.ts";
import type { Completed } from "../transport/transport.ts";
import type { RetirePlan, Step } from "./plan.ts";
import type { Progress } from "./progress.ts";

type ClusterPlace = Pick<RetirePlan, "host" | "cluster">;

type ClusterDeps = Omit<ServerDeps, "hint">;

export interface RetireDeps extends ClusterDeps {
  readonly progress: Progress;
  readonly key: () => Promise<ArchiveKey>;
  readonly archiveDir: string;
  /** Unique: names the archive. */
  readonly id: string;
  readonly drainSeconds: number;
  readonly markRetired: () => Promise<void>;
  readonly wipe: () => Promise<void>;
  readonly note: (text: string) => void;
}

/** Throws with every step before the one that failed done and remembered. */
export async function retire(host: Host, plan: RetirePlan, deps: RetireDeps): Promise<void> {
  const { progress, note } = deps;
  const perform: Readonly<Record<Step, () => Promise<void>>> = {
    drain: () => drain(host, plan, deps),
    stop: async () => {
      await using session = await deps.connect(host, deps.signal);
      await runOrThrow(session, stopServices, host.name, { signal: deps.signal, hint: AGAIN });
    },
    backup: () => backup(host, deps),
    forget: () => forget(plan, deps),
    inventory: deps.markRetired,
    wipe: deps.wipe,
  };
  for (const { step, does } of plan.steps) {
    deps.signal.throwIfAborted();
    if (progress.has(step)) {
      note(`${step}: done already (${progress.state.done[step]})`);
      continue;
    }
    note(`${step}: ${does}`);
    await perform[step]();
    await progress.note({ done: step });
  }
}

/** Quorum is counted on what the cluster says now, not on what the inventory hopes. */
async function drain(host: Host, plan: RetirePlan, deps: RetireDeps): Promise<void> {
  const node = plan.cluster?.node ?? host.name;
  const nodes = await nodesOf(plan, deps);
  if (!nodes.some((n) => n.name === node)) {
    deps.note(`its cluster knows no node ${node}`);
    return;
  }
  await onCluster(plan, deps, cluster.cordon(node));
  await onCluster(plan, deps, cluster.drain(node, deps.drainSeconds));
}

/** Also its password: whoever comes under this name next is a new node. */
export async function forget(plan: ClusterPlace, deps: ClusterDeps): Promise<void> {
  const { node } = plan.cluster ?? { node: plan.host };
  await nodesOf(plan, deps);
  await onCluster(plan, deps, cluster.forget(node));
  await onCluster(plan, deps, cluster.forgetPassword(node));
}

/** Throws `needs-human` when the cluster could not decide anything without it. */
async function nodesOf(plan: ClusterPlace, deps: ClusterDeps) {
  const { stdout } = await onCluster(plan, deps, cluster.nodes());
  const nodes = parseNodes(stdout);
  const node = plan.cluster?.node ?? plan.host;
  const me = nodes.find((n) => n.name === node);
  if (me?.server) {
    const problem = quorumProblem(nodes, node);
    if (problem !== null)
      throw new FleetError("needs-human", `${plan.host} may not leave its cluster now: ${problem}`, {
        hint: "bring the other servers up, then start the same command again",
      });
  }
  return nodes;
}

async function backup(host: Host, deps: RetireDeps): Promise<void> {
  await using session = await deps.connect(host, deps.signal);
  const { file, sha256 } = await takeBackup(session, {
    host: host.name,
    path: archiveName(deps.archiveDir, host.name, deps.id),
    key: await deps.key(),
    signal: deps.signal,
    note: deps.note,
  });
  await deps.progress.note({ archive: file });
  deps.note(`archive: ${file} (sha256 of its content ${sha256})`);
}

const onCluster = (plan: ClusterPlace, deps: ClusterDeps, command: Command): Promise<Completed> =>
  onServer(plan.cluster?.server ?? "", command, { ...deps, hint: AGAIN });

const AGAIN = "correct that, then start the same command again: it goes on here";
