import { isPrivateAddress } from "../address.ts";
import { error, info, warning } from "../findings.ts";
import { summarizeNames } from "../ranges.ts";
import { byEntry, field, livingHosts, type Rule } from "./rule.ts";

/** E201, W201, W202: a mesh needs somewhere to start, better two places, and others must reach them. */
export const bootstraps: Rule = function* (input) {
  const { document, inventory } = input;
  if (inventory.hosts.length === 0) {
    yield warning("W203", ["hosts"], "the inventory has no hosts", { point: "key" });
    return;
  }
  const hosts = livingHosts(inventory);
  const found = hosts.filter(({ roles }) => roles.includes("bootstrap"));
  const outside = hosts.some(({ mesh }) => mesh.bootstrapPeers.length > 0);
  const [first] = found;
  if (first === undefined) {
    if (outside) return;
    yield error("E201", ["fleet", "realm"], `realm ${document.fleet.realm} has no bootstrap`, {
      fix: "Give a host roles: [bootstrap], or set mesh.bootstrapPeers to an outside one.",
    });
    return;
  }
  const hidden = found.filter(({ mesh }) => mesh.publicAddress === undefined);
  const [unreachable] = hidden;
  if (unreachable !== undefined) {
    const names = summarizeNames(hidden.map(({ name }) => name));
    yield warning(
      "W201",
      field(input, unreachable).path,
      `bootstrap without mesh.publicAddress: ${names}; peers outside its network cannot find it`,
      {
        from: field(input, unreachable).from,
        fix: "Set mesh.publicAddress: name:443.",
        point: "key",
      },
    );
  }
  if (found.length === 1) {
    yield warning(
      "W202",
      field(input, first).path,
      `${first.name} is the only bootstrap: while it is down nobody can join`,
      {
        from: field(input, first).from,
        fix: "Give a second host roles: [bootstrap].",
        point: "key",
      },
    );
  }
};

/** E202: old systems that stay old are listed, never rolled out to. */
export const auditOnly: Rule = function* (input) {
  const old = livingHosts(input.inventory).filter(({ os, convert }) => os === "k3os" && !convert);
  for (const hosts of byEntry(input, old)) {
    const { from } = field(input, hosts[0], "os");
    const { path } = field(input, hosts[0]);
    const names = hosts.length === 1 ? "" : ` (${summarizeNames(hosts.map(({ name }) => name))})`;
    yield info(
      "E202",
      path,
      `os k3os with convert: false cannot be a rollout target; it is audited only${names}`,
      {
        from,
        fix: "Set convert: true to move it to NixOS.",
      },
    );
  }
};

/** E203: a gateway is for the world outside its own network. */
export const privateGateways: Rule = function* (input) {
  const gateways = livingHosts(input.inventory).filter(
    ({ roles, address, mesh }) =>
      roles.includes("gateway") && mesh.publicAddress === undefined && isPrivateAddress(address),
  );
  for (const hosts of byEntry(input, gateways)) {
    const [first] = hosts;
    const { path, from } = field(input, first, "address");
    const names = hosts.length === 1 ? "" : ` (${summarizeNames(hosts.map(({ name }) => name))})`;
    yield warning("E203", path, `gateway on private address ${first.address} without publicAddress${names}`, {
      from,
      fix: "Set mesh.publicAddress if peers of other sites shall use it.",
    });
  }
};
