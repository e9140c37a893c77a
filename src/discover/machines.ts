/** Announcements joined to machines, and held against the inventory. Hints only: nothing is trusted for them. Pure. */
import type { Host } from "../inventory/model.ts";
import type { Announcement } from "./browse.ts";

export interface Machine {
  /** Without `.local`. */
  readonly name: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly state: "nixos" | "k3os" | "installer" | "unknown";
  readonly role: string | null;
  readonly realm: string | null;
  readonly revision: string | null;
  readonly did: string | null;
  readonly via: readonly string[];
  /** Name of the inventory's host it seems to be. */
  readonly inventory: string | null;
  /** Why it cannot be all it says it is. */
  readonly conflicts: readonly string[];
}

export function machinesOf(announced: readonly Announcement[], hosts: readonly Host[]): readonly Machine[] {
  const byName = Map.groupBy(announced, (a) => shortName(a.host || a.name));
  const machines = [...byName].map(([name, list]) => describe(name, list));
  return machines
    .map((m) => compare(m, machines, hosts))
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

const shortName = (host: string): string =>
  host
    .replace(/\.$/, "")
    .replace(/\.local$/i, "")
    .toLowerCase();

/** What comes from strangers is cut and cleaned before anybody sees it. */
const plain = (text: string | undefined): string | null => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  const clean = (text ?? "").replace(/[\u0000-\u001f\u007f-\u009f]/g, "").slice(0, 200);
  return clean === "" ? null : clean;
};

function describe(name: string, list: readonly Announcement[]): Machine {
  const macula = list.find((a) => a.type === "macula");
  const txt = macula?.txt ?? {};
  return {
    name: plain(name) ?? "?",
    addresses: [...new Set(list.flatMap((a) => a.addresses))].filter((a) => /^[0-9a-f.:%a-z0-9]+$/i.test(a)),
    port: list.find((a) => a.type === "ssh")?.port ?? 22,
    state: stateOf(name, macula),
    role: plain(txt.role),
    realm: plain(txt.realm),
    revision: plain(txt.rev),
    did: plain(txt.id),
    via: [...new Set(list.map((a) => a.via))].toSorted(),
    inventory: null,
    conflicts: [],
  };
}

function stateOf(name: string, macula: Announcement | undefined): Machine["state"] {
  const { os, role } = macula?.txt ?? {};
  if (name.startsWith("nixos-installer") || os === "installer" || role === "installer") return "installer";
  if (macula?.txt.os === "nixos" || macula?.txt.v === "2") return "nixos";
  // What MaculaOS on k3OS announces: constants, and the port of a Kubernetes API it may not even have.
  if (macula?.txt.version === "1.0.0" || macula?.port === 6443) return "k3os";
  return "unknown";
}

function compare(m: Machine, all: readonly Machine[], hosts: readonly Host[]): Machine {
  const reachable = hosts.filter((h) => h.bastion === null);
  const named = hosts.find((h) => h.name === m.name);
  const addressed = reachable.find((h) => m.addresses.includes(h.address));
  const identified = m.did === null ? undefined : hosts.find((h) => h.identity.did === m.did);
  const twin = m.did === null ? undefined : all.find((o) => o !== m && o.did === m.did);
  const conflicts = [
    ...(named && !addressed && named.bastion === null && isAddress(named.address)
      ? [`${named.name} is at ${named.address} in the inventory`]
      : []),
    ...(addressed && addressed.name !== m.name && m.state !== "installer"
      ? [`${addressed.address} is ${addressed.name} in the inventory`]
      : []),
    ...(identified && identified.name !== m.name ? [`its identity is that of ${identified.name}`] : []),
    ...(twin ? [`has the same identity as ${twin.name}`] : []),
    ...((named ?? addressed)?.state === "retired" ? [`${(named ?? addressed)?.name} is retired`] : []),
  ];
  return { ...m, inventory: (addressed ?? named ?? identified)?.name ?? null, conflicts };
}

const isAddress = (text: string): boolean => /^[0-9.]+$|:/.test(text);
