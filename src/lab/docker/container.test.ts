import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostAddress, hostFlavour, runArguments } from "./container.ts";

describe("runArguments", () => {
  const args = runArguments({
    container: "mf-lab-01234567-node-01",
    hostName: "node-01",
    image: "image:tag",
    network: "mf-lab-01234567",
    address: "172.20.0.2",
    authorizedKey: "ssh-ed25519 AAAA lab",
    lab: "01234567",
    seeded: true,
  });
  it("marks the container as the lab's and gives it its place", () => {
    expect(args.join(" ")).toContain(
      "--label macula-fleet.lab=01234567 --network mf-lab-01234567 --ip 172.20.0.2",
    );
    expect(args.at(-1)).toBe("image:tag");
  });
  it("publishes nothing and needs no privileged container", () => {
    expect(args).not.toContain("--privileged");
    expect(args).not.toContain("--publish");
    expect(args.filter((_, i) => args[i - 1] === "--cap-add")).toEqual(["SYS_ADMIN", "NET_ADMIN"]);
  });
});

describe("hostAddress", () => {
  it.each([
    ["172.20.0.0/16", 0, "172.20.0.2"],
    ["172.20.0.0/16", 253, "172.20.0.255"],
    ["172.20.0.0/16", 254, "172.20.1.0"],
    ["192.168.240.0/20", 63, "192.168.240.65"],
  ])("%s, host %i", (subnet, n, address) => {
    expect(hostAddress(subnet, n)).toBe(address);
  });
  it("gives every host its own, never the gateway's", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 223 }), fc.integer({ min: 2, max: 64 }), (net, hosts) => {
        const addresses = Array.from({ length: hosts }, (_, n) => hostAddress(`${net}.31.0.0/16`, n));
        expect(new Set(addresses).size).toBe(hosts);
        expect(addresses).not.toContain(`${net}.31.0.1`);
        expect(addresses.every((address) => address.startsWith(`${net}.31.`))).toBe(true);
      }),
    );
  });
});

describe("hostFlavour", () => {
  it("mixes suites and ways to root within a lab of four", () => {
    const flavours = [0, 1, 2, 3].map((i) => Object.values(hostFlavour(i)).join(" "));
    expect(flavours).toEqual(["trixie root", "bookworm deploy", "trixie admin", "bookworm root"]);
  });
});
