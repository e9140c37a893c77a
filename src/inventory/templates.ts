/** `{name}` and `{n}` in the strings of a host. `files[].content` is left alone: braces are common there. */
import { countAddress, isAddress, isCounting } from "./address.ts";
import { error, type Finding } from "./findings.ts";
import type { Layered } from "./layers.ts";
import type { HostVars } from "./schema/host-vars.ts";

export function fillTemplates(vars: HostVars, host: Layered): HostVars {
  const n = host.range?.member.n ?? /\d+$/.exec(host.name)?.[0] ?? "";
  const fill = (value: unknown): unknown => {
    if (typeof value === "string") {
      return value.includes("{") ? value.replaceAll("{name}", host.name).replaceAll("{n}", n) : value;
    }
    if (Array.isArray(value)) {
      let changed = false;
      const filled = value.map((item) => {
        const next = fill(item);
        changed ||= next !== item;
        return next;
      });
      return changed ? filled : value;
    }
    if (typeof value !== "object" || value === null) return value;
    let copy: Record<string, unknown> | undefined;
    for (const [key, part] of Object.entries(value)) {
      const next = fill(part);
      if (next === part) continue;
      copy ??= { ...value };
      copy[key] = next;
    }
    return copy ?? value;
  };
  const filled = fill({ ...vars, files: undefined }) as HostVars;
  const { files: _, ...rest } = filled;
  return vars.files === undefined ? rest : { ...rest, files: vars.files };
}

/** The address to connect to, or what is wrong with it. Templates are already filled. */
export function resolveAddress(vars: HostVars, host: Layered): string | Finding {
  const path = ["hosts", host.name, "address"];
  const { address } = vars;
  if (address === undefined) {
    if (vars.connect === "pull" || vars.state === "planned" || vars.state === "retired") return host.name;
    return error("E111", ["hosts", host.name], `${host.name} has no address`, {
      fix: "Add address: (IP or DNS name), or state: planned.",
      point: "key",
      from: host.path,
    });
  }
  if (!isCounting(address)) {
    const left = /\{[^}]*\}/.exec(address)?.[0];
    if (left !== undefined) {
      return error("E114", path, `unknown placeholder ${left} in "${address}"; there are {name} and {n}`);
    }
    return isAddress(address)
      ? address
      : error("E115", path, `"${address}" is neither an IP address nor a DNS name`, {
          fix: "A port goes into port:, a user into user:.",
        });
  }
  if (host.range === undefined) {
    return error("E105", path, `"${address}" counts over a range, but ${host.name} is a single host`, {
      fix: "Write its address out.",
    });
  }
  const counted = countAddress(address, host.range.member.index);
  if (counted.kind === "address") return counted.address;
  if (counted.kind === "invalid") return error("E115", path, counted.reason);
  return error(
    "E105",
    path,
    `"${address}" runs past ${counted.last} at ${host.name} (${counted.fits} of ${host.range.size} fit)`,
    { fix: "Start lower, or split the range." },
  );
}
