/** The node's place in its cluster. */
import { Secret } from "../../kernel/secret.ts";
import { type Contribution, type Mapping, type NeedsHuman, needs, type SecretFile } from "../contribution.ts";
import { parseK3sArguments } from "./k3s-arguments.ts";

/** Labels that k3OS's upgrade controller acts on: a converted node that kept them would be "upgraded" back. */
export const HARMFUL_LABELS: readonly string[] = ["macula.io/mode", "macula.io/version", "macula.io/upgrade"];
export const isHarmful = (label: string): boolean =>
  HARMFUL_LABELS.includes(label) || label.startsWith("k3os.io/");

const SERVER = "/var/lib/rancher/k3s/server";

export const k3s: Mapping = {
  topic: "k3s",
  map(node): Contribution {
    const { os, files } = node;
    const args = parseK3sArguments(os.k3sArgs ?? []);
    const human: NeedsHuman[] = args.problems.map((p) => needs("k3s", p.what, p.suggestion));
    const notes: string[] = [];
    const server = os.serverUrl || args.server;
    // k3OS: a server URL without a subcommand makes an agent.
    const role = args.role ?? (server ? "agent" : "server");
    const cluster = clusterName(server, node.name);
    const { labels, refused } = keptLabels({ ...os.labels, ...args.labels }, human, notes);
    for (const label of refused) {
      human.push(
        needs(
          "k3s",
          `the kubelet may not set the label ${label}`,
          `after the conversion: kubectl label node ${node.name} ${label}=…`,
        ),
      );
    }
    const token = fullToken(node.files, os.token || args.token);
    const secrets: SecretFile[] = [];
    const entry: Record<string, unknown> = {
      datastore: args.datastore ? "external" : args.clusterInit || hasEtcd(files) ? "etcd" : "sqlite",
      ...(args.flannelBackend ? { flannelBackend: args.flannelBackend } : {}),
    };
    if (token !== null) {
      const file = `secrets/clusters/${cluster}/token`;
      secrets.push({ file, value: new Secret(token) });
      entry.tokenRef = `file:${file}`;
      if (!token.startsWith("K10") && role === "agent") {
        human.push(
          needs(
            "k3s",
            "the token is a short one, which does not prove which server it belongs to",
            `read the full one on the server: ${SERVER}/token`,
          ),
        );
      }
    } else if (server) {
      human.push(
        needs(
          "k3s",
          `there is no token for ${server}`,
          `read it on the server: ${SERVER}/token; clusters.${cluster}.tokenRef`,
        ),
      );
    }
    const agentToken = files.text(`${SERVER}/agent-token`)?.trim();
    if (agentToken && agentToken !== token) {
      const file = `secrets/clusters/${cluster}/agent-token`;
      secrets.push({ file, value: new Secret(agentToken) });
      entry.agentTokenRef = `file:${file}`;
    }
    if (server) {
      if (role === "agent") entry.external = true;
      entry.serverAddr = server;
      human.push(
        needs(
          "k3s",
          `it joins ${server}`,
          "put it into that server's cluster of the inventory, or leave external: true if the server is not managed here",
        ),
      );
    }
    if (args.datastore) {
      // Its address holds a password, so it is a secret as the token is.
      const file = `secrets/clusters/${cluster}/datastore`;
      secrets.push({ file, value: new Secret(args.datastore) });
      entry.datastoreRef = `file:${file}`;
      human.push(
        needs(
          "k3s",
          "its datastore is outside the cluster",
          `clusters.${cluster}.datastoreRef says where; every server of it needs the same token`,
        ),
      );
    }
    const taints = [...new Set([...(os.taints ?? []), ...args.taints])];
    return {
      host: {
        k3s: {
          cluster,
          role,
          ...(args.clusterInit ? { clusterInit: true } : {}),
          ...(args.nodeName && args.nodeName !== node.name ? { nodeName: args.nodeName } : {}),
          ...(Object.keys(labels).length > 0 ? { labels } : {}),
          ...(taints.length > 0 ? { taints } : {}),
          ...(args.rest.length > 0 ? { extraArgs: [...args.rest] } : {}),
        },
      },
      clusters: { [cluster]: entry },
      secrets,
      human,
      notes,
    };
  },
};

export const k3sFiles: Mapping = {
  topic: "k3s files",
  map: ({ files }) => ({
    human: files
      .below("/etc/rancher/k3s")
      .filter((path) => /\/(?:registries|config)\.ya?ml$/.test(path))
      .map((path) =>
        needs(
          "k3s files",
          `${path} is there`,
          path.includes("registries")
            ? "write it as k3s registries in the flake; passwords as a secret"
            : "write its settings as k3s fields of the inventory",
        ),
      ),
  }),
};

function keptLabels(all: Readonly<Record<string, string>>, _human: NeedsHuman[], notes: string[]) {
  const labels: Record<string, string> = {};
  const refused: string[] = [];
  for (const [label, value] of Object.entries(all)) {
    if (isHarmful(label))
      notes.push(`label ${label} is left out: it would make k3OS's upgrade controller act on this node`);
    else if (label.startsWith("node-role.kubernetes.io/")) refused.push(label);
    else labels[label] = value;
  }
  return { labels, refused };
}

/** A server keeps the whole token on disk; what the configuration says may be its short form. */
function fullToken(
  files: { text(path: string): string | undefined },
  stated: string | null | undefined,
): string | null {
  const onDisk = files.text(`${SERVER}/token`)?.trim() || files.text(`${SERVER}/node-token`)?.trim();
  return onDisk || stated || null;
}

const hasEtcd = (files: { below(dir: string): readonly string[] }) =>
  files.below(`${SERVER}/db/etcd`).length > 0;

/** `https://k3s.gent.example:6443` -> `k3s-gent-example`. */
function clusterName(server: string | null | undefined, node: string): string {
  if (!server) return node;
  const host = server.replace(/^\w+:\/\//, "").replace(/[/:].*$/, "");
  return (
    host
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "") || node
  );
}
