/** What forbids a conversion is told with its place, its cause and what helps, before anything is touched. */
import { describe, expect, it } from "vitest";
import { type ConversionInput, isRefused, planConversion } from "../../src/convert/plan.ts";
import type { Survey } from "../../src/convert/survey.ts";
import { conversionLines } from "../../src/convert/view.ts";
import type { HostFacts } from "../../src/host/protocol.ts";
import type { Host } from "../../src/inventory/model.ts";
import { aDisk, someFacts } from "../install/support.ts";
import { aHost, anInventory, sha256, system } from "../support/fleet.ts";

const BY_ID = "/dev/disk/by-id/ata-CT500_S1";
const SURVEY: Survey = {
  os: "maculaos",
  root: true,
  tar: "gnu",
  acls: true,
  setsidWait: true,
  luks: false,
  homeFree: 2_000_000,
  role: "none",
  datastore: "none",
  version: null,
  token: false,
  hostKey: true,
  sizes: {},
};
const plan = (facts: Partial<HostFacts> = {}, disk: Partial<Host["disk"]> = {}) => {
  const base = aHost("riga-peer-02");
  const host: Host = { ...base, os: "k3os", convert: true, disk: { ...base.disk, device: BY_ID, ...disk } };
  const input: ConversionInput = {
    id: "i-1",
    inventory: anInventory([host]),
    host,
    revision: "r1",
    now: 0,
    facts: someFacts({ os: { id: "maculaos", version: "v0.22", variant: "" }, ...facts }),
    systems: new Map([[host.name, { toplevel: system(host.name, "r1"), size: 1 }]]),
    disko: new Map([[host.name, "/nix/store/x-disko"]]),
    digest: sha256,
    survey: SURVEY,
    nodes: [],
    server: null,
    needsHuman: [],
    imported: "",
    targetMinor: "1.35",
    workloadsInGit: false,
    carry: false,
    volumesLimit: 1e6,
    mbps: 100,
  };
  return planConversion(input).conversion;
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
