/** Every option of nixpkgs and disko that we set exists: `known-options.json` says so, and says where it has that from. */
import { expect, it } from "vitest";
import { images, machine, machines, vms } from "./machine.ts";
import { describeNix, FIXTURES, fixture, HERE, readJson, refusal, temporaryFile } from "./nix.ts";

const known = readJson(`${HERE}known-options.json`) as {
  origin: string;
  options: Record<string, { type: string; from: string }>;
};

describeNix("options we set", () => {
  it("come from a list that says of each which file declares it, and of which commits", () => {
    expect(known.origin).toMatch(/nixpkgs.*at [0-9a-f]{7,}.*disko at [0-9a-f]{7,}/);
    expect(Object.keys(known.options).length).toBeGreaterThan(300);
    for (const [name, { type, from }] of Object.entries(known.options)) {
      expect(type, name).not.toBe("");
      expect(from, name).toMatch(/^(?:nixpkgs nixos\/modules\/\S+|disko module\.nix)$/);
    }
  });

  it("are all on it, for hosts, images and VMs", () => {
    const patterns = Object.keys(known.options).map((name) => ({ name, pattern: asPattern(name) }));
    const used = new Set(
      [
        ...FIXTURES.flatMap((name) => Object.values(machines(fixture(name)))),
        ...Object.values(vms(fixture("homelab"))),
        ...Object.values(images(fixture("homelab"))),
      ].flatMap((m) => m.used),
    );
    const unknown = [...used].filter((option) => !patterns.some(({ pattern }) => pattern.test(option)));
    expect(unknown).toEqual([]);
    expect(used.size).toBeGreaterThan(100);
  });

  it.each([
    ["services.k3s", '{ services.k3s.tokenFil = "/x"; }', "services.k3s.tokenFil"],
    ["a whole subtree", "{ networking.firewal.enable = true; }", "networking.firewal"],
    ["a unit", '{ systemd.services.x.wantedby = [ "y" ]; }', "systemd.services.x.wantedby"],
    ["our own", '{ macula.k3s.rol = "agent"; }', "macula.k3s.rol"],
    ["inside a list of ours", '{ macula.network.wifi = [ { ssid = "a"; psk = "b"; } ]; }', "psk"],
    ["renamed since the seed", '{ services.resolved.dnssec = "false"; }', "services.resolved.dnssec"],
  ])("are refused when misspelt: %s", (_, text, option) => {
    const extra = temporaryFile("extra.nix", text);
    expect(refusal(() => machine(fixture("homelab"), "node-01", { extra }))).toMatch(
      new RegExp(`The option \`[^']*${option.replaceAll(".", "\\.")}[^']*' does not exist`),
    );
  });
});

/** `systemd.services.<name>.script` -> a pattern for one named thing, or for anything below a set. */
function asPattern(name: string): RegExp {
  const parts = name
    .split(/\.(?![^<]*>)/)
    .map((part) => (part.startsWith("<") ? ".+" : part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")));
  return new RegExp(`^${parts.join("\\.")}$`);
}
