/** Commands run on a server of the cluster, as data. Pure. */
import { type Command, quote } from "../../kernel/shell.ts";
import { ROOT_SHELL } from "../survey.ts";

const PATHS = "PATH=$PATH:/usr/local/bin:/run/current-system/sw/bin LC_ALL=C\nexport PATH LC_ALL\n";

/** k3OS has no plain `kubectl` in some images; `k3s kubectl` is there wherever k3s is. */
function onHost(label: string, ...words: readonly string[]): Command {
  const k3s = `exec k3s ${words.map(quote).join(" ")} < /dev/null\n`;
  return { line: ROOT_SHELL, stdin: PATHS + k3s, label };
}

const kubectl = (label: string, ...words: readonly string[]): Command => onHost(label, "kubectl", ...words);

export const cluster = {
  nodes: (): Command => kubectl("kubectl get nodes", "get", "nodes", "-o", "json"),
  cordon: (node: string): Command => kubectl("kubectl cordon", "cordon", node),
  drain: (node: string, seconds: number): Command =>
    kubectl(
      "kubectl drain",
      "drain",
      node,
      "--ignore-daemonsets",
      "--delete-emptydir-data",
      "--force",
      `--timeout=${seconds}s`,
    ),
  /** Its etcd member goes with it. */
  forget: (node: string): Command =>
    kubectl("kubectl delete node", "delete", "node", node, "--ignore-not-found"),
  /** Whoever comes under that name next is believed anew; newer k3s does it together with the node. */
  forgetPassword: (node: string): Command =>
    kubectl(
      "kubectl delete secret",
      ...["delete", "secret", `${node}.node-password.k3s`, "-n", "kube-system", "--ignore-not-found"],
    ),
  /** On the server itself. */
  snapshot: (name: string): Command => onHost("k3s etcd-snapshot", "etcd-snapshot", "save", "--name", name),
  uncordon: (node: string): Command => kubectl("kubectl uncordon", "uncordon", node),
  /** A minus removes a label; one that is not there is no error. */
  strip: (node: string, labels: readonly string[]): Command =>
    kubectl("kubectl label", "label", "node", node, ...labels.map((l) => `${l}-`)),
  namespaces: (): Command => kubectl("kubectl get namespaces", "get", "namespaces", "-o", "name"),
  volumes: (): Command => kubectl("kubectl get pv", "get", "pv", "-o", "name"),
  /** As evidence of what ran; restoring from it is not promised. */
  everything: (): Command =>
    kubectl("kubectl get all", "get", "all,configmap,ingress,pvc,pv", "-A", "-o", "yaml"),
} as const;

/** `node-08` of a list of nodes, as `kubectl get nodes -o json` tells it. */
export interface NodeRecord {
  readonly name: string;
  readonly uid: string;
  readonly version: string;
  readonly ready: boolean;
  readonly server: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly cordoned: boolean;
}

interface RawNode {
  readonly metadata?: {
    readonly name?: string;
    readonly uid?: string;
    readonly labels?: Record<string, string>;
  };
  readonly spec?: { readonly unschedulable?: boolean };
  readonly status?: {
    readonly nodeInfo?: { readonly kubeletVersion?: string };
    readonly conditions?: readonly { readonly type?: string; readonly status?: string }[];
  };
}

/**
 * Why etcd could not decide anything without this server; null: it could. Counted on what the cluster says now: a plan
 * may be old, and another server may have gone away since.
 */
export function quorumProblem(nodes: readonly NodeRecord[], leaving: string): string | null {
  const others = nodes.filter((n) => n.server && n.name !== leaving);
  const servers = others.length + 1;
  const quorum = Math.floor(servers / 2) + 1;
  const ready = others.filter((n) => n.ready).length;
  if (ready >= quorum) return null;
  const down = others.filter((n) => !n.ready).map((n) => n.name);
  return `without it ${ready} of ${servers} servers are ready, and etcd needs ${quorum}${down.length > 0 ? ` (not ready: ${down.join(", ")})` : ""}`;
}

/** Empty when it is not what was expected: a cluster has at least the node that was asked. */
export function parseNodes(json: string): readonly NodeRecord[] {
  let items: readonly RawNode[];
  try {
    items = (JSON.parse(json) as { items?: readonly RawNode[] }).items ?? [];
  } catch {
    return [];
  }
  return items.map(({ metadata = {}, spec = {}, status = {} }) => {
    const labels = metadata.labels ?? {};
    return {
      name: metadata.name ?? "",
      uid: metadata.uid ?? "",
      version: status.nodeInfo?.kubeletVersion ?? "",
      ready: status.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false,
      server: Object.keys(labels).some((l) =>
        /^node-role\.kubernetes\.io\/(?:control-plane|master)$/.test(l),
      ),
      labels,
      cordoned: spec.unschedulable === true,
    };
  });
}
