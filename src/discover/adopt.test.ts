import { expect, it } from "vitest";
import { parse } from "yaml";
import { entryText, type NewHost, withHost, withHostField } from "./adopt.ts";

const host: NewHost = {
  name: "node-02",
  address: "192.168.1.57",
  port: 22,
  role: "gateway",
  arch: "x86_64-linux",
  boot: "uefi",
  disk: "/dev/disk/by-id/ata-X",
  serial: "S1",
  mac: "52:54:00:00:00:01",
  hostKeys: [],
};
const FILE = `# The home lab.
apiVersion: macula.io/v1

hosts:
  # The one under the stairs.
  node-01: { address: 192.168.1.11 } # do not touch
  "store-[1:3]":
    address: 10.0.0.1+
`;

it("states what is not a default, and nothing else", () => {
  expect(parse(entryText(host))).toEqual({
    hosts: {
      "node-02": {
        address: "192.168.1.57",
        role: "gateway",
        disk: { device: "/dev/disk/by-id/ata-X", serial: "S1" },
        identity: { mac: "52:54:00:00:00:01" },
      },
    },
  });
});

it("adds the entry and keeps every line that was there", () => {
  const text = withHost(FILE, host);
  for (const line of FILE.trimEnd().split("\n")) expect(text).toContain(line);
  expect(Object.keys(parse(text).hosts)).toEqual(["node-01", "store-[1:3]", "node-02"]);
  expect(() => withHost(text, host)).toThrow("has a host node-02 already");
  expect(parse(withHost("fleet: {}\nhosts:\n", host)).hosts).toHaveProperty("node-02");
});

it("sets one field of a host that is written out", () => {
  const text = withHostField(FILE, "node-01", ["state"], "retired");
  expect(parse(text).hosts["node-01"]).toEqual({ address: "192.168.1.11", state: "retired" });
  expect(text).toContain("# do not touch");
  expect(parse(withHostField(FILE, "node-01", ["disk", "device"], "/d")).hosts["node-01"].disk).toEqual({
    device: "/d",
  });
  expect(() => withHostField(FILE, "store-2", ["state"], "retired")).toThrow("not written out");
  expect(() => withHostField("a: [", "node-01", ["state"], "retired")).toThrow("no valid YAML");
});

it("changes no field that belongs to others as well", () => {
  const text = `x: &known { hostKeys: [a] }
hosts:
  one: { identity: *known }
  two: { <<: { identity: { mac: m } }, address: a }
  three: { identity: { mac: m } }
`;
  const keys = ["identity", "hostKeys"];
  for (const host of ["one", "two"])
    expect(() => withHostField(text, host, keys, ["b"])).toThrow("is an alias of something else");
  expect(parse(withHostField(text, "three", keys, ["b"])).hosts.three.identity).toEqual({
    mac: "m",
    hostKeys: ["b"],
  });
});
