import { isIpv4 } from "../address.ts";
import { error, type Finding, info, warning } from "../findings.ts";
import { isTimeZone } from "../policy-check.ts";
import { summarizeNames } from "../ranges.ts";
import type { HostVars } from "../schema/host-vars.ts";
import { suggestion } from "../similar.ts";
import { field, groupBy, livingHosts, type Rule, type RuleInput } from "./rule.ts";

/** E101: two hosts cannot answer at one address and port behind the same bastion. */
export const duplicateAddresses: Rule = function* (input) {
  const hosts = livingHosts(input.inventory).filter(
    ({ address, connect }) => address !== "" && connect === "ssh",
  );
  const places = groupBy(hosts, ({ bastion, address, port }) =>
    JSON.stringify([bastion, address.toLowerCase(), port]),
  );
  for (const [first, ...others] of places.values()) {
    if (first === undefined) continue;
    for (const host of others) {
      const { path, from } = field(input, host, "address");
      const at = host.address.includes(":")
        ? `[${host.address}]:${host.port}`
        : `${host.address}:${host.port}`;
      yield error("E101", path, `${at} is also ${first.name}'s (same bastion: ${host.bastion ?? "none"})`, {
        from,
        fix: "Give one of them another address, port or bastion.",
      });
    }
  }
};

/** E104: names of other things must exist. (Sites and groups of hosts are checked where they are resolved.) */
export const references: Rule = function* (input) {
  const { document, inventory } = input;
  const bastions = Object.keys(inventory.bastions);
  const clusters = Object.keys(inventory.clusters);
  const hostNames = new Set(inventory.hosts.map(({ name }) => name));
  for (const [name, { bastion }] of Object.entries(inventory.bastions)) {
    if (bastion !== undefined && !bastions.includes(bastion)) {
      yield missing("bastion", bastion, bastions, ["bastions", name, "bastion"]);
    }
  }
  const reported = new Set<string>();
  for (const host of inventory.hosts) {
    const uses = [
      ["bastion", host.bastion ?? undefined, bastions, ["bastion"]],
      ["cluster", host.k3s.cluster, clusters, ["k3s", "cluster"]],
    ] as const;
    for (const [what, name, known, path] of uses) {
      if (name === undefined || known.includes(name)) continue;
      const place = field(input, host, ...path);
      const id = place.from.join("\0");
      if (!reported.has(id)) yield missing(what, name, known, place.from);
      reported.add(id);
    }
  }
  for (const cluster of Object.keys(inventory.policy.maxUnavailable.clusters)) {
    if (!clusters.includes(cluster)) {
      yield missing("cluster", cluster, clusters, ["rollout", "maxUnavailable", `cluster:${cluster}`]);
    }
  }
  for (const [name, site] of Object.entries(document.sites ?? {})) {
    if (site?.seed !== undefined && !hostNames.has(site.seed)) {
      yield missing("host", site.seed, [...hostNames], ["sites", name, "seed"]);
    }
    const seed = inventory.hosts.find((h) => h.name === site?.seed);
    if (seed && seed.site !== name) {
      yield error(
        "E120",
        ["sites", name, "seed"],
        `${seed.name} is at ${seed.site ?? "no site"}, not at ${name}`,
        {
          fix: "Name one of the site's own hosts: its neighbours take closures from it over the site's network.",
        },
      );
    }
  }
};

function missing(
  what: string,
  name: string,
  known: readonly string[],
  path: readonly (string | number)[],
): Finding {
  return error("E104", path, `no ${what} "${name}"`, { fix: suggestion(name, known, `${what}s`) });
}

/** E107 and I107: one way to say a role, in each place. */
export const roleSpelling: Rule = function* ({ document }) {
  for (const [path, vars] of allVars(document)) {
    if (vars.role !== undefined && vars.roles !== undefined) {
      yield error("E107", [...path, "role"], '"role" and "roles" are both set', {
        point: "key",
        fix: "Keep roles: [a, b] for several, role: a for one.",
      });
    } else if (vars.roles !== undefined && vars.roles.length > 1 && vars.roles.includes("peer")) {
      const path2 = [...path, "roles", vars.roles.indexOf("peer")];
      yield info("I107", path2, "peer is redundant: every host is a peer", { fix: "Remove it from roles." });
    }
  }
};

/** E108: `defaults` are for everybody; what is true of one host only does not belong there. */
export const defaultsAreShared: Rule = function* ({ document }) {
  const { defaults } = document;
  if (defaults === undefined) return;
  const device = defaults.disk?.device;
  const personal: [readonly string[], boolean][] = [
    [["address"], defaults.address !== undefined],
    [["disk", "device"], device !== undefined && !["facts", "auto", "image"].includes(device)],
    [["network", "static"], defaults.network?.static !== undefined],
    [["identity"], defaults.identity !== undefined],
  ];
  for (const [path, stated] of personal) {
    if (!stated) continue;
    yield error(
      "E108",
      ["defaults", ...path],
      `${path.join(".")} belongs to one host and cannot be a default`,
      {
        point: "key",
        fix: "Move it to the host (or, with {name}, to a group).",
      },
    );
  }
};

/** E109, W114, E116: bastions lead somewhere, in at most three hops, and are known by key. */
export const bastionChains: Rule = function* (input) {
  const { bastions } = input.inventory;
  for (const name of Object.keys(bastions)) {
    const chain = [name];
    let next = bastions[name]?.bastion;
    while (next !== undefined && !chain.includes(next) && Object.hasOwn(bastions, next)) {
      chain.push(next);
      next = bastions[next]?.bastion;
    }
    const path = ["bastions", name, "bastion"];
    if (next !== undefined && chain.includes(next)) {
      yield error("E109", path, `bastions lead in a circle: ${[...chain, next].join(" > ")}`);
    } else if (chain.length > 3) {
      yield error("E109", path, `${chain.length} bastions in a row (${chain.join(" > ")}); 3 are supported`);
    }
  }
  const nameless = Object.values(bastions).filter(({ hostKey }) => hostKey === undefined);
  const [first] = nameless;
  if (first !== undefined) {
    const message = `no hostKey for ${summarizeNames(nameless.map(({ name }) => name))}: only known_hosts can tell an impostor`;
    yield warning("W114", ["bastions", first.name], message, {
      point: "key",
      fix: "Add hostKey: (ssh-keyscan, compared by other means).",
    });
  }
  for (const host of livingHosts(input.inventory)) {
    if (host.bastion === null || !host.address.includes("%")) continue;
    const { path, from } = field(input, host, "address");
    yield error("E116", path, `${host.address}: an IPv6 zone means nothing behind bastion ${host.bastion}`, {
      from,
    });
  }
};

const RESERVED = new Set(["all", "role", "site", "tag", "group", "label", "state", "cluster"]);

/** E117, E118, E119: names that `--limit` needs, zones and hours that do not exist, twice the same check. */
export const namesAndTimes: Rule = function* (input) {
  const { document, inventory } = input;
  for (const kind of ["groups", "sites"] as const) {
    for (const name of Object.keys(document[kind] ?? {})) {
      if (!RESERVED.has(name)) continue;
      yield error("E117", [kind, name], `"${name}" is a word of --limit and cannot be a name`, {
        point: "key",
      });
    }
  }
  for (const { name, timezone, windows } of Object.values(inventory.sites)) {
    if (!isTimeZone(timezone)) {
      yield error("E118", ["sites", name, "timezone"], `no time zone "${timezone}"`, {
        fix: "Use an IANA name such as Europe/Brussels.",
      });
    }
    if (windows.some(({ lengthMs }) => lengthMs === 0)) {
      yield error("E118", ["sites", name, "window"], "the window ends when it starts");
    }
  }
  for (const host of livingHosts(inventory)) {
    const fixed = host.network.static;
    if (fixed === undefined) continue;
    const [address = "", prefix = ""] = fixed.address.split("/");
    const max = isIpv4(address) ? 32 : 128;
    if (address.includes(":") || (isIpv4(address) && Number(prefix) <= max)) continue;
    const { path, from } = field(input, host, "network", "static", "address");
    yield error("E115", path, `"${fixed.address}" is not an address with its prefix`, { from });
  }
};

/** Every place where something is said about hosts, with its path. */
export function* allVars(document: RuleInput["document"]): Generator<[readonly string[], HostVars]> {
  if (document.defaults) yield [["defaults"], document.defaults];
  for (const [name, site] of Object.entries(document.sites ?? {}))
    if (site?.vars) yield [["sites", name, "vars"], site.vars];
  for (const [name, group] of Object.entries(document.groups ?? {})) {
    if (group?.vars) yield [["groups", name, "vars"], group.vars];
  }
  for (const [name, host] of Object.entries(document.hosts)) if (host) yield [["hosts", name], host];
}
