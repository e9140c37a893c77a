/** What `inventory list|show|graph` print, as data and as text. Pure. */
import { formatDuration } from "./duration.ts";
import type { Host, Inventory } from "./model.ts";
import { summarizeNames } from "./ranges.ts";
import { bastionChain } from "./target.ts";

interface ListRow {
  readonly host: string;
  readonly address: string;
  readonly via: string;
  readonly role: string;
  readonly site: string;
  readonly arch: string;
  readonly os: string;
  readonly state: string;
  readonly cluster: string;
  readonly groups: string;
  readonly tags: string;
}

export const LIST_COLUMNS = [
  "host",
  "address",
  "via",
  "role",
  "site",
  "arch",
  "os",
  "state",
  "cluster",
  "tags",
] as const;

/** One row per host; empty cells are `-`. */
export function listRows(hosts: readonly Host[]): readonly ListRow[] {
  const cell = (text: string | null | undefined) =>
    text === undefined || text === null || text === "" ? "-" : text;
  return hosts.map((host) => ({
    host: host.name,
    address: endpoint(host),
    via: cell(host.bastion),
    role: host.roles.join(","),
    site: cell(host.site),
    arch: host.arch.replace("-linux", ""),
    os: host.os,
    state: host.state,
    cluster: host.k3s.cluster === undefined ? "-" : `${host.k3s.cluster} (${host.k3s.role})`,
    groups: cell(host.groups.join(",")),
    tags: cell(host.tags.join(",")),
  }));
}

/** `10.0.0.1`, `10.0.0.1:2222`, `[fe80::1]:2222` */
export function endpoint({ address, port }: { readonly address: string; readonly port: number }): string {
  if (port === 22) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `inventory show HOST`: labels and values, in reading order; what is at its default and says nothing is left out. */
export function showHost(host: Host, inventory: Inventory): readonly (readonly [string, string])[] {
  const chain = bastionChain(host.bastion, inventory).map((hop) => `${hop.user}@${endpoint(hop)}`);
  const { disk, hardware, k3s, mesh, network, ssh } = host;
  const rows: [string, string | undefined][] = [
    ["host", host.name],
    ["address", `${host.user}@${endpoint(host)}`],
    ["via", chain.join(" > ")],
    ["site", host.site ?? ""],
    ["groups", host.groups.join(", ")],
    ["roles", host.roles.join(", ")],
    ["system", `${host.os} ${host.arch}, ${host.channel}`],
    ["state", host.state],
    [
      "hardware",
      [hardware.boot, hardware.board, hardware.kernel].filter((part) => part !== undefined).join(", "),
    ],
    [
      "disk",
      [disk.device, disk.layout, `ESP ${disk.espSize}`, disk.serial]
        .filter((part) => part !== undefined)
        .join(", "),
    ],
    [
      "network",
      network.static ? `${network.static.address} via ${network.static.gateway}` : network.dhcp ? "DHCP" : "",
    ],
    ["k3s", k3s.role === "none" ? "" : `${k3s.role}${k3s.cluster === undefined ? "" : ` of ${k3s.cluster}`}`],
    ["mesh", [mesh.tlsMode, mesh.publicAddress].filter((part) => part !== undefined).join(", ")],
    ["bootstrap peers", summarizeNames(mesh.bootstrapPeers)],
    ["tags", host.tags.join(", ")],
    [
      "labels",
      Object.entries(host.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(", "),
    ],
    ["canary", host.rollout.canary],
    ["checks", [...inventory.checks, ...host.checks].map(({ name }) => name).join(", ")],
    [
      "host keys",
      host.identity.hostKeys.length === 0 ? "by known_hosts" : `${host.identity.hostKeys.length} pinned`,
    ],
    [
      "ssh",
      [`timeout ${formatDuration(ssh.connectTimeoutMs)}`, ssh.identityFile]
        .filter((part) => part !== undefined)
        .join(", "),
    ],
    ["note", host.note],
    ["declared", `${host.source.file}:${host.source.line}`],
  ];
  return rows.flatMap(([label, value]) =>
    value === undefined || value === "" ? [] : [[label, value] as const],
  );
}

interface TreeNode {
  readonly label: string;
  readonly children: readonly TreeNode[];
}

/** `inventory graph`: sites with their hosts, groups, clusters, and which bastion leads where. */
export function graph(inventory: Inventory): TreeNode {
  const { fleet, hosts, sites, groups, clusters, bastions } = inventory;
  const leaf = (label: string): TreeNode => ({ label, children: [] });
  const section = (label: string, children: readonly TreeNode[]): TreeNode[] =>
    children.length === 0 ? [] : [{ label, children }];
  const byRole = (members: readonly Host[]): TreeNode[] =>
    [...Map.groupBy(members, ({ roles }) => roles.join("+"))].map(([role, list]) =>
      leaf(
        `${role}: ${summarizeNames(
          list.map(({ name }) => name),
          6,
        )}`,
      ),
    );
  const siteless = hosts.filter(({ site }) => site === null);
  const perSite = Map.groupBy(hosts, ({ site }) => site);
  const perBastion = Map.groupBy(hosts, ({ bastion }) => bastion);
  const perCluster = Map.groupBy(hosts, ({ k3s }) => (k3s.role === "none" ? undefined : k3s.cluster));
  const names = (list: readonly Host[] | undefined) =>
    summarizeNames(
      (list ?? []).map(({ name }) => name),
      6,
    );

  const hop = (name: string): TreeNode => ({
    label: name,
    children: [
      ...Object.values(bastions)
        .filter(({ bastion }) => bastion === name)
        .map((inner) => hop(inner.name)),
      ...(perBastion.has(name) ? [leaf(names(perBastion.get(name)))] : []),
    ],
  });
  const outermost = Object.values(bastions).filter(({ bastion }) => bastion === undefined);
  return {
    label: `${fleet.name} (${fleet.realm}), ${hosts.length} hosts`,
    children: [
      ...section("sites", [
        ...Object.keys(sites).map((name) => ({ label: name, children: byRole(perSite.get(name) ?? []) })),
        ...(siteless.length > 0 ? [{ label: "no site", children: byRole(siteless) }] : []),
      ]),
      ...section(
        "groups",
        Object.entries(groups).map(([name, members]) =>
          leaf(`${name}: ${summarizeNames(members, 6) || "no hosts"}`),
        ),
      ),
      ...section(
        "clusters",
        Object.values(clusters).map(({ name, datastore, perHost }) => {
          const members = perCluster.get(name) ?? [];
          const part = (role: "server" | "agent") => names(members.filter(({ k3s }) => k3s.role === role));
          const lines = [
            ["servers", part("server")],
            ["agents", part("agent")],
          ].filter(([, list]) => list !== "");
          return {
            label: `${name} (${datastore}${perHost ? ", one per host" : ""})`,
            children: lines.map(([what, list]) => leaf(`${what}: ${list}`)),
          };
        }),
      ),
      ...section("reached through", [
        ...outermost.map(({ name }) => hop(name)),
        ...(outermost.length > 0 && perBastion.has(null)
          ? [leaf(`directly: ${names(perBastion.get(null))}`)]
          : []),
      ]),
    ],
  };
}

/** The tree with its branches drawn; no trailing newline. */
export function drawTree({ label, children }: TreeNode): string {
  const draw = (nodes: readonly TreeNode[], indent: string): string[] =>
    nodes.flatMap((node, i) => {
      const last = i === nodes.length - 1;
      return [
        `${indent}${last ? "└─" : "├─"} ${node.label}`,
        ...draw(node.children, `${indent}${last ? "   " : "│  "}`),
      ];
    });
  return [label, ...draw(children, "")].join("\n");
}
