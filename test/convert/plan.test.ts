/** What forbids a conversion is told with its place, its cause and what helps, before anything is touched. */
import { describe, expect, it } from "vitest";
import { conversionPlanLines } from "../../src/cli/convert-view.ts";
import { type ConversionInput, isRefused } from "../../src/convert/plan.ts";
import { conversionLines } from "../../src/convert/view.ts";
import type { HostFacts } from "../../src/host/protocol.ts";
import type { Host } from "../../src/inventory/model.ts";
import { createPaint } from "../../src/ui/paint.ts";
import { aDisk, someFacts } from "../install/support.ts";
import { aConversion, aK3osHost, aNode, SURVEY } from "./support.ts";

const plan = (facts: Partial<HostFacts> = {}, disk: Partial<Host["disk"]> = {}) => {
  const base = aK3osHost();
  return aConversion({
    host: { ...base, disk: { ...base.disk, ...disk } },
    facts: someFacts({ os: { id: "maculaos", version: "v0.22", variant: "" }, ...facts }),
  }).conversion;
};

it("goes on with a machine that is fit", () => {
  expect(isRefused(plan())).toBe(false);
  expect(plan().refusals).toEqual([]);
});

describe("is refused", () => {
  it.each<[string, Partial<HostFacts>, Partial<Host["disk"]>, RegExp, RegExp]>([
    ["in a container", { container: "docker" }, {}, /is a docker container/, /on the machine itself/],
    ["with too little memory", { memory: 900_000 }, {}, /has 879 MiB of memory; .* 1\.5 GB/, /image build/],
    [
      "when its disk has another name now",
      { disks: [aDisk({ name: "/dev/sdb", byId: ["/dev/disk/by-id/ata-CT500_S7"], serial: "S7" })] },
      {},
      /ata-CT500_S1 is not on this machine/,
      /its disks are: \/dev\/disk\/by-id\/ata-CT500_S7/,
    ],
    [
      "when its disk is another one",
      {},
      { serial: "S9" },
      /no disk has the serial S9/,
      /its disks are: .*S1/,
    ],
    ["over Wi-Fi", { uplink: { device: "wlan0", kind: "wifi", mac: "" } }, {}, /over wifi/, /by cable/],
    ["where another kernel may not be started", { kexec: false }, {}, /does not allow kexec/, /image build/],
    [
      "for another processor",
      { arch: "armv7l" },
      {},
      /armv7l has no NixOS of this fleet/,
      /leave it on k3OS/,
    ],
  ])("%s, with the cause and what helps", (_, facts, disk, cause, fix) => {
    const conversion = plan(facts, disk);
    expect(isRefused(conversion)).toBe(true);
    const lines = conversionLines(conversion);
    const at = lines.findIndex((l) => /REFUSED: /.test(l) && cause.test(l));
    expect(at, lines.join("\n")).toBeGreaterThan(0);
    expect(lines[at + 1]).toMatch(fix);
  });
});

/** `REFUSED` lines with what helps. */
const refusedLines = (conversion: ReturnType<typeof aConversion>["conversion"]) => {
  const lines = conversionLines(conversion);
  return lines.flatMap((l, i) => (l.includes("REFUSED") ? [`${l.trim()} ${lines[i + 1]?.trim()}`] : []));
};

describe("a host that an installation leaves alone is refused, so that nothing is stopped for it", () => {
  const base = aK3osHost();
  it.each<[string, Partial<Host>, RegExp]>([
    ["in maintenance", { state: "maintenance" }, /state is maintenance -> state: active/],
    ["retired", { state: "retired" }, /state is retired -> state: active/],
    [
      "booted from an image",
      { disk: { ...base.disk, device: "image" } },
      /boots from an image.* -> .*disk\.device/,
    ],
  ])("%s", (_, more, reason) => {
    const plan = aConversion({ host: { ...base, ...more } });
    expect(plan.hosts).toEqual([]);
    expect(isRefused(plan.conversion)).toBe(true);
    expect(refusedLines(plan.conversion).join("\n")).toMatch(reason);
  });
  it("as is one a secret of which cannot be had", () => {
    const missing = {
      code: "secret-unavailable",
      severity: "refuse",
      message: "no TOKEN",
      fix: "set it",
    } as const;
    const plan = aConversion({ troubles: new Map([[base.name, [missing]]]) });
    expect(plan.hosts).toEqual([]);
    expect(isRefused(plan.conversion)).toBe(true);
    expect(refusedLines(plan.conversion)).toEqual(["REFUSED: no TOKEN -> set it"]);
  });
  it("as is one for which nothing was built", () => {
    const plan = aConversion({ systems: new Map() });
    expect(isRefused(plan.conversion)).toBe(true);
    expect(refusedLines(plan.conversion)).toEqual([expect.stringContaining("nothing was built for it")]);
  });
});

describe("a member of a cluster", () => {
  const server = { ...SURVEY, role: "server", datastore: "etcd", version: "1.35.2", token: true } as const;
  const host = aK3osHost();
  it.each<[string, Partial<ConversionInput>]>([
    ["carrying its datastore", { carry: true }],
    ["with its workloads in git", { workloadsInGit: true }],
    ["as it is", {}],
    ["on SQLite", { survey: { ...server, datastore: "sqlite" }, carry: true }],
    ["as an agent", { survey: { ...server, role: "agent", datastore: "none" } }],
  ])("whose nodes could not be read is refused, not taken for a single server: %s", (_, more) => {
    const { conversion } = aConversion({
      host,
      survey: server,
      nodesProblem: "riga-peer-01: connection refused",
      ...more,
    });
    expect(isRefused(conversion)).toBe(true);
    const said = refusedLines(conversion).join("\n");
    expect(said).toContain("could not be read: riga-peer-01: connection refused");
    expect(said).not.toContain("only server");
  });
  it("under another name than the inventory's is refused: it could not be drained or found again", () => {
    const nodes = [aNode("maculaos-1a2b", { server: false }), aNode("riga-peer-01")];
    const agent = { ...server, role: "agent", datastore: "none" } as const;
    const { conversion } = aConversion({ host, survey: agent, nodes });
    expect(isRefused(conversion)).toBe(true);
    expect(refusedLines(conversion).join("\n")).toMatch(
      /knows no node riga-peer-02: it has maculaos-1a2b, riga-peer-01 -> set k3s\.nodeName/,
    );
    const named = { ...host, k3s: { ...host.k3s, nodeName: "maculaos-1a2b" } };
    const right = aConversion({ host: named, survey: agent, nodes }).conversion;
    expect(isRefused(right)).toBe(false);
    expect(right.node).toEqual({ name: "maculaos-1a2b", uid: "uid-maculaos-1a2b" });
  });
});

it("asks a person about keys that could not log in any more", () => {
  const users = (...keys: string[]) => ({ users: { macula: { keys, admin: true } } });
  const loginKeys = ["ssh-ed25519 AAAAone", "ssh-rsa AAAAtwo"];
  const all = aConversion({
    host: aK3osHost(users("ssh-ed25519 AAAAone ann", "ssh-rsa AAAAtwo")),
    loginKeys,
  });
  expect(all.conversion).toMatchObject({ needsHuman: [], keysLeft: [] });
  const one = aConversion({ host: aK3osHost(users("ssh-ed25519 AAAAone ann")), loginKeys });
  expect(one.conversion.keysLeft).toEqual(["ssh-rsa AAAAtwo"]);
  expect(conversionLines(one.conversion).join("\n")).toMatch(
    /1 keys that may log in now are not in the inventory: ssh-rsa …AAAAtwo\n.*users\.NAME\.keys/,
  );
  expect(one.hash).not.toBe(all.hash);
});

it("shows the disk that would be erased, what is on it, and an installation's warnings", () => {
  const uplink = { device: "br0", kind: "bridge", mac: "" } as const;
  const facts = someFacts({ os: { id: "maculaos", version: "v0.22", variant: "" }, uplink });
  const plan = aConversion({ facts });
  const said = conversionPlanLines(plan).map(createPaint(false)).join("\n");
  expect(said).toMatch(
    /ERASES \/dev\/disk\/by-id\/ata-CT500_S1 {2}CT500, serial S1, 477 GiB\n +\/dev\/sda1 499999 ext4/,
  );
  expect(said).toMatch(/warning .*reached over a bridge \(br0\)/);
  expect(said).toContain(plan.hash);
});
