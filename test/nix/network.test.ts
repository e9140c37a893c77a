/** How a machine is reached, and whom it tells about itself. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { SEED_PORT } from "../../src/host/seed.ts";
import { generated, list, type Machine, machine, machines } from "./machine.ts";
import { describeNix, fixture, temporaryFile } from "./nix.ts";

const homelab = fixture("homelab");
const module = (text: string): string => temporaryFile("extra.nix", text);

describeNix("a machine on the network", () => {
  it("opens 80 and 443 for gateways, 443 for bootstraps, nothing for peers", () => {
    const commons = machines(fixture("commons"));
    const ports = (name: string) => ({
      tcp: commons[name]?.values["networking.firewall.allowedTCPPorts"],
      udp: commons[name]?.values["networking.firewall.allowedUDPPorts"],
    });
    expect(ports("ams-gw-01")).toEqual({ tcp: [80, 443], udp: [443] });
    expect(ports("ams-boot-01")).toEqual({ tcp: [443], udp: [443] });
    expect(ports("gent-peer-01")).toEqual({ tcp: [], udp: [] });
  });

  it("opens the port that neighbours take closures from, on the site's seed only", () => {
    const fleet = JSON.parse(readFileSync(fixture("commons"), "utf8"));
    fleet.sites.gent.seed = "gent-peer-01";
    const commons = machines(temporaryFile("seeded.json", JSON.stringify(fleet)));
    const open = Object.entries(commons).flatMap(([name, m]) =>
      list(m, "networking.firewall.allowedTCPPorts").includes(SEED_PORT) ? [name] : [],
    );
    expect(open).toEqual(["gent-peer-01"]);
  });

  it.each([
    ["no", []],
    ["one", ["https://boot.macula.io:443"]],
    ["two", ["https://boot1.example:443", "https://boot2.example:443"]],
  ])("writes valid YAML for %s bootstrap peer(s), where MaculaOS reads it", (_, peers) => {
    const extra = module(
      `{ services.macula.bootstrapPeers = [ ${peers.map((peer) => `"${peer}"`).join(" ")} ]; }`,
    );
    const m = machine(homelab, "node-02", { extra });
    const mesh = parse(generated(m.values["environment.etc.macula/mesh.yaml.source"]));
    expect(mesh).toEqual({
      roles: { bootstrap: false, gateway: false },
      realm: "io.macula.home",
      bootstrapPeers: peers,
      tlsMode: "development",
    });
    const config = parse(generated(m.values["environment.etc.macula/config.yaml.source"]));
    expect(config).toEqual({ hostname: "node-02", maculaos: { mesh } });
    expect(m.values["systemd.tmpfiles.settings.10-macula./var/lib/maculaos/mesh.yaml.L+.argument"]).toBe(
      "/etc/macula/mesh.yaml",
    );
  });

  it("announces its true role over mDNS, and avahi alone answers", () => {
    const services = (m: Machine): string =>
      String((m.values["services.avahi.extraServiceFiles"] as { macula: string }).macula);
    const { "node-01": server, "node-02": peer } = machines(homelab);
    expect(services(server as Machine)).toContain("<port>6443</port>");
    expect(services(server as Machine)).toContain("<txt-record>role=bootstrap</txt-record>");
    expect(services(server as Machine)).toContain("<txt-record>roles=bootstrap,gateway</txt-record>");
    expect(services(peer as Machine)).toContain("<txt-record>role=peer</txt-record>");
    expect(services(peer as Machine)).not.toContain("6443");
    expect(peer?.values["services.resolved.settings.Resolve"]).toEqual({
      LLMNR: "false",
      MulticastDNS: "no",
    });
    expect(list(peer as Machine, "networking.firewall.allowedTCPPorts")).not.toContain(5353);
  });

  it("asks for an address on any card, or has a fixed one on one MAC", () => {
    const { "ber-boot-01": fixed, "ber-gw-01": dhcp } = machines(fixture("commons"));
    expect(dhcp?.values["networking.useDHCP"]).toBe(true);
    expect(fixed?.values).toMatchObject({
      "networking.useDHCP": false,
      "systemd.network.networks.10-macula-static.matchConfig": { PermanentMACAddress: "52:54:00:12:34:56" },
      "systemd.network.networks.10-macula-static.address": ["198.51.100.11/24"],
      "systemd.network.networks.10-macula-static.routes": [{ Gateway: "198.51.100.1" }],
      "networking.timeServers": ["ntp.commons.example"],
      "services.k3s.nodeIP": "198.51.100.11",
    });
  });

  it("is refused without any network", () => {
    const extra = module("{ lib, ... }: { macula.network.dhcp = false; }");
    expect(machine(homelab, "node-01", { extra }).failed).toEqual([
      expect.stringContaining("neither dhcp nor static"),
    ]);
  });

  it("has an address on Wi-Fi in any case, and prefers a cable", () => {
    const of = (network: string) => {
      const extra = module(
        `{ lib, ... }: { macula.network = { wifi = [ { ssid = "a"; pskRef = "env:A"; } ]; ${network} }; }`,
      );
      const { values, failed } = machine(homelab, "node-01", { extra });
      expect(failed).toEqual([]);
      const at = "systemd.network.networks.20-macula-wifi";
      return {
        useDHCP: values["networking.useDHCP"],
        dhcp: (values[`${at}.networkConfig`] as { DHCP?: string } | undefined)?.DHCP,
        metrics: [values[`${at}.dhcpV4Config`], values[`${at}.ipv6AcceptRAConfig`]],
      };
    };
    // NixOS's own unit for wireless cards, with the same metric.
    expect(of("")).toEqual({ useDHCP: true, dhcp: undefined, metrics: [undefined, undefined] });
    const metrics = [{ RouteMetric: 1025 }, { RouteMetric: 1025 }];
    expect(of("dhcp = lib.mkForce false;")).toEqual({ useDHCP: false, dhcp: "yes", metrics });
    const fixed =
      'static = { mac = "52:54:00:12:34:56"; address = "192.168.1.9/24"; gateway = "192.168.1.1"; };';
    expect(of(fixed)).toEqual({ useDHCP: false, dhcp: "yes", metrics });
  });

  it("has Wi-Fi with its key in a file", () => {
    const m = machine(fixture("commons"), "gent-peer-01");
    expect(m.values).toMatchObject({
      "networking.wireless.enable": true,
      "networking.wireless.secretsFile": "/var/lib/macula-fleet/secrets/wifi",
      "networking.wireless.networks.commons.pskRaw": "ext:psk_0",
    });
    expect(m.secrets.wifi).toMatchObject({
      entries: { psk_0: "sops:secrets/gent.yaml#wifi" },
      owner: "wpa_supplicant",
    });
    expect(
      m.values["systemd.tmpfiles.settings.06-macula-secrets./var/lib/macula-fleet/secrets/wifi.z.user"],
    ).toBe("wpa_supplicant");
  });
});
