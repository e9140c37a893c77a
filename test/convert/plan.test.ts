/** What forbids a conversion is told with its place, its cause and what helps, before anything is touched. */
import { describe, expect, it } from "vitest";
import { isRefused } from "../../src/convert/plan.ts";
import { conversionLines } from "../../src/convert/view.ts";
import type { HostFacts } from "../../src/host/protocol.ts";
import type { Host } from "../../src/inventory/model.ts";
import { aDisk, someFacts } from "../install/support.ts";
import { aConversion, aK3osHost } from "./support.ts";

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
