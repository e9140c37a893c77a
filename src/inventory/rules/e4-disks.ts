import { error, warning } from "../findings.ts";
import type { Host } from "../model.ts";
import { field, groupBy, type HostFacts, livingHosts, type Rule } from "./rule.ts";

const BY_ID = "/dev/disk/by-";

const targets = (hosts: readonly Host[]): readonly Host[] =>
  hosts.filter(({ state, os, convert }) => state !== "retired" && (os !== "k3os" || convert));

type Place = readonly (string | number)[];

/** Every disk a host names, with where it does. */
const disksOf = ({ disk }: Host): readonly { readonly device: string; readonly at: Place }[] => [
  { device: disk.device, at: ["disk", "device"] },
  ...Object.entries(disk.data).map(([name, { device }]) => ({
    device,
    at: ["disk", "data", name, "device"],
  })),
];

/** E401: kernel names are given out anew at every boot. */
export const unstableDisks: Rule = function* (input) {
  const seen = new Set<string>();
  for (const host of targets(input.inventory.hosts)) {
    const { device } = host.disk;
    if (!device.startsWith("/") || device.startsWith(BY_ID)) continue;
    const { path, from } = field(input, host, "disk", "device");
    const facts = input.facts(host.name);
    const disk = facts?.disks.find((each) => each.path === device);
    const id = from.join("\0");
    if (seen.has(id) && disk === undefined) continue;
    seen.add(id);
    const known = disk === undefined ? "." : `; on this node: ${disk.id} (facts of ${facts?.collected}).`;
    const report = input.purpose === "install" ? error : warning;
    yield report("E401", path, `${device} can name another disk after reboot`, {
      from,
      fix: `Use /dev/disk/by-id/…${known}`,
    });
  }
};

/** E402, E403: a disk is in one machine. */
export const sharedDisks: Rule = function* (input) {
  const inRange = new Set<string>();
  for (const host of targets(input.inventory.hosts)) {
    const range = input.layers.get(host.name)?.range;
    if (range === undefined || range.size < 2 || inRange.has(range.key)) continue;
    for (const { device, at } of disksOf(host)) {
      if (!device.startsWith("/")) continue;
      const { path, from } = field(input, host, ...at);
      if (from[1] !== range.key || templated(input, from)) continue;
      inRange.add(range.key);
      yield error("E403", path, `range "${range.key}" cannot share ${at.join(".")} ${device}`, {
        from,
        fix:
          at.length === 2
            ? "Use facts or auto, or write the hosts out."
            : "Let it differ with {name} or {n}, or write the hosts out.",
      });
    }
  }
  const stable = targets(input.inventory.hosts)
    .filter(({ name }) => !inRange.has(input.layers.get(name)?.range?.key ?? ""))
    // Twice in one machine is another mistake: E406.
    .flatMap((host) => [...new Map(disksOf(host).map((d) => [d.device, { ...d, host }])).values()])
    .filter(({ device }) => device.startsWith(BY_ID));
  for (const [device, [first, second, ...more]] of groupBy(stable, (d) => d.device)) {
    if (first === undefined || second === undefined) continue;
    const { path, from } = field(input, second.host, ...second.at);
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    yield error("E402", path, `${device} is used by ${first.host.name} and ${second.host.name}${others}`, {
      from,
      fix: "Every host has its own disk; check the serial numbers.",
    });
  }
};

function templated({ document }: Parameters<Rule>[0], from: Place): boolean {
  const stated = from.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    document,
  );
  return typeof stated === "string" && stated.includes("{");
}

/** E404, E405, E605: what the facts of the machine say against the inventory. */
export const factsAgainst: Rule = function* (input) {
  for (const host of livingHosts(input.inventory)) {
    const facts = input.facts(host.name);
    if (facts === undefined) continue;
    if (facts.arch !== undefined && facts.arch !== host.arch) {
      const { path, from } = field(input, host, "arch");
      yield error(
        "E605",
        path,
        `arch ${host.arch}, but the machine is ${facts.arch} (facts of ${facts.collected})`,
        { from },
      );
    }
    const { path, from } = field(input, host, "disk", "device");
    const data = new Set(Object.values(host.disk.data).map((d) => d.device));
    const candidates = installable(facts).filter(({ id }) => !data.has(`/dev/disk/by-id/${id}`));
    if (host.disk.device === "auto" && candidates.length !== 1) {
      const list = candidates.map(({ id }) => id).join(", ");
      yield error(
        "E404",
        path,
        `"auto" found ${candidates.length} candidates${list === "" ? "" : `: ${list}`}`,
        {
          from,
          fix: "Name one: /dev/disk/by-id/….",
        },
      );
    }
    for (const { device, at } of disksOf(host)) {
      const chosen = facts.disks.find(
        ({ id, path: kernel }) => device === kernel || device.endsWith(`/by-id/${id}`),
      );
      if (chosen?.usb !== true && chosen?.backups !== true) continue;
      const what = chosen.backups === true ? "is the disk holding the operator's backups" : "is a USB stick";
      const { path, from } = field(input, host, ...at);
      yield error("E405", path, `${device} ${what}`, { from, fix: "Choose the machine's own disk." });
    }
  }
};

const installable = (facts: HostFacts): HostFacts["disks"] =>
  facts.disks.filter(({ usb, backups }) => usb !== true && backups !== true);
