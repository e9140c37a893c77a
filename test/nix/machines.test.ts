/** Promises about machines, whatever the golden files say. */
import { expect, it } from "vitest";
import { parse } from "yaml";
import { generated, type Machine, machine, machines, vms } from "./machine.ts";
import { describeNix, FIXTURES, fixture, readJson, refusal, temporaryFile } from "./nix.ts";

const homelab = fixture("homelab");
const module = (text: string): string => temporaryFile("extra.nix", text);
const list = (machine: Machine, path: string): readonly unknown[] =>
  (machine.values[path] ?? []) as unknown[];
const text = (machine: Machine, path: string): string => String(machine.values[path] ?? "");

describeNix("a machine", () => {
  const all = FIXTURES.flatMap((name) => Object.entries(machines(fixture(name))));

  it("satisfies its own assertions", () => {
    expect(all.length).toBeGreaterThan(20);
    for (const [name, { failed }] of all) expect(failed, name).toEqual([]);
  });

  it("never holds a secret or says where one is", () => {
    for (const name of FIXTURES) {
      const refs = [
        ...JSON.stringify(readJson(fixture(name))).matchAll(/"((?:sops|file|env|cmd):[^"]+)"/g),
      ].map((match) => match[1] ?? "");
      expect(refs.length).toBeGreaterThan(0);
      for (const [host, m] of Object.entries(machines(fixture(name)))) {
        const outside = Object.entries(m.values).filter(([path]) => !path.startsWith("macula."));
        for (const ref of refs) expect(JSON.stringify(outside), host).not.toContain(ref);
        for (const slot of Object.values(m.secrets)) expect(slot.path, host).not.toMatch(/^\/nix\/store/);
      }
    }
  });

  it("lets in keys only, and gives nobody a password", () => {
    for (const [name, m] of all) {
      expect(m.values["services.openssh.settings"], name).toMatchObject({
        PasswordAuthentication: false,
        KbdInteractiveAuthentication: false,
        PermitRootLogin: "no",
      });
      expect(m.values["users.mutableUsers"], name).toBe(false);
      expect(
        Object.keys(m.values).filter((path) => /users\..*password/i.test(path)),
        name,
      ).toEqual([]);
    }
  });

  it("has the boot loader of its hardware and keeps five systems", () => {
    const { "node-01": uefi, "node-02": bios, "node-03": rpi } = machines(homelab);
    expect(uefi?.values).toMatchObject({
      "boot.loader.systemd-boot.enable": true,
      "boot.loader.systemd-boot.configurationLimit": 5,
      "boot.loader.efi.canTouchEfiVariables": true,
    });
    expect(bios?.values).toMatchObject({
      "boot.loader.grub.enable": true,
      "boot.loader.grub.efiSupport": false,
    });
    expect(bios?.values["boot.loader.systemd-boot.enable"]).toBeUndefined();
    expect(rpi?.values).toMatchObject({
      "boot.loader.generic-extlinux-compatible.enable": true,
      "boot.loader.grub.enable": false,
    });
    expect(rpi?.values["boot.kernelParams"]).toContain("cgroup_enable=memory");
    for (const [name, m] of all) {
      expect(m.values["nix.gc.automatic"], name).toBe(false);
      expect(m.values["systemd.services.macula-gc.script"], name).toContain("--delete-generations +5");
    }
  });

  it("keeps the state version of its first installation", () => {
    const retail = machines(fixture("retail"));
    expect(retail["lab-1"]?.values["system.stateVersion"]).toBe("25.11");
    expect(retail["store-001"]?.values["system.stateVersion"]).toBe("26.05");
    const newer = {
      fleet: { name: "x", realm: "a.b", release: "27.11" },
      hosts: { old: { disk: { device: "image" } } },
    };
    const path = temporaryFile("fleet.json", JSON.stringify(newer));
    expect(machine(path, "old").values["system.stateVersion"]).toBe("26.05");
  });

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

  it("opens the cluster's ports by flannel backend, to the cluster's members only", () => {
    const commons = machines(fixture("commons"));
    const rules = (name: string): string =>
      text(commons[name] as Machine, "networking.firewall.extraCommands");
    expect(rules("gent-gw-01")).toContain("-p udp -s 192.168.10.11 --dport 51820 ");
    expect(rules("gent-gw-01")).not.toContain("8472");
    expect(rules("ber-gw-01")).toContain("-p udp -s 198.51.100.11 --dport 8472 ");
    expect(rules("ber-gw-01")).not.toContain("--dport 6443");
    // etcd: servers of the cluster, not its agents.
    expect(rules("ams-gw-01")).toContain("-p tcp -s 203.0.113.11 --dport 2379:2380 ");
    expect(rules("ams-gw-01")).not.toContain("-s 203.0.113.20 --dport 2379");
    expect(rules("ams-peer-01")).not.toContain("2379");
    // A member known by name only is looked up at run time.
    expect(rules("porto-gw-01")).toContain("macula-names");
    expect(commons["porto-gw-01"]?.values["systemd.services.macula-firewall-names.wantedBy"]).toEqual([
      "multi-user.target",
    ]);
    expect(commons["gent-gw-01"]?.values["systemd.services.macula-firewall-names.wantedBy"]).toBeUndefined();
    const alone = machine(fixture("retail"), "store-001");
    expect(alone.values["networking.firewall.extraCommands"]).toBeUndefined();
  });

  it("starts a cluster once and joins it elsewhere, with the token in a file", () => {
    const { "ams-boot-01": first, "ams-gw-01": second, "ams-peer-01": agent } = machines(fixture("commons"));
    const file = "/var/lib/macula-fleet/secrets/k3s-token";
    expect(first?.values).toMatchObject({ "services.k3s.clusterInit": true, "services.k3s.tokenFile": file });
    expect(first?.values["services.k3s.serverAddr"]).toBeUndefined();
    expect(second?.values).toMatchObject({
      "services.k3s.role": "server",
      "services.k3s.clusterInit": false,
      "services.k3s.serverAddr": "https://203.0.113.11:6443",
    });
    expect(agent?.values).toMatchObject({
      "services.k3s.role": "agent",
      "services.k3s.serverAddr": "https://203.0.113.11:6443",
      "services.k3s.tokenFile": file,
    });
    expect(agent?.values["services.k3s.disable"]).toBeUndefined();
    expect(list(agent as Machine, "services.k3s.extraFlags")).toEqual([]);
    const solo = machine(fixture("retail"), "store-121");
    expect(solo.values["services.k3s.clusterInit"]).toBe(false);
    expect(solo.values["services.k3s.serverAddr"]).toBeUndefined();
    expect(solo.secrets).toEqual({});
  });

  it("drops the labels that made k3OS upgrade itself, and refuses those a kubelet may not set", () => {
    const labelled = module(
      '{ macula.k3s.labels = { "macula.io/mode" = "x"; "k3os.io/mode" = "y"; "macula.io/region" = "home"; }; }',
    );
    const m = machine(homelab, "node-03", { extra: labelled });
    expect(list(m, "services.k3s.nodeLabel")).toEqual([
      "macula.io/region=home",
      "macula.io/role=edge",
      "macula.io/roles=peer",
    ]);
    const refused = module('{ macula.k3s.labels."node-role.kubernetes.io/edge" = "true"; }');
    expect(machine(homelab, "node-03", { extra: refused }).failed).toEqual([
      expect.stringContaining("node-role.kubernetes.io/edge"),
    ]);
  });

  it("merges flags with another module's instead of clashing with them", () => {
    const m = machine(homelab, "node-01", { extra: module('{ services.k3s.extraFlags = [ "--debug" ]; }') });
    expect(list(m, "services.k3s.extraFlags")).toEqual(
      expect.arrayContaining(["--debug", "--flannel-backend=vxlan", "--write-kubeconfig-mode=0640"]),
    );
  });

  it("deploys the Console from one server of a cluster", () => {
    const image = module('{ services.macula.console.image = "registry.example/console:1.4.0"; }');
    const manifest = "services.k3s.manifests.macula-console.content";
    expect(machine(homelab, "node-01", { extra: image }).values[manifest]).toHaveLength(3);
    expect(machine(homelab, "node-02", { extra: image }).values[manifest]).toBeUndefined();
    const commons = machine(fixture("commons"), "ams-gw-01", { extra: image });
    expect(commons.values[manifest]).toBeUndefined();
    const moving = module('{ services.macula.console.image = "registry.example/console"; }');
    expect(refusal(() => machine(homelab, "node-01", { extra: moving }))).toContain(
      "services.macula.console.image",
    );
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

  it("carries no wizard when it is in the inventory; the wizard yields to the marker", () => {
    for (const [name, m] of all) {
      expect(
        Object.keys(m.values).filter((path) => path.startsWith("systemd.services.macula-firstboot")),
        name,
      ).toEqual([]);
    }
    const extra = module(
      '{ pkgs, ... }: { macula.firstboot.enable = true; macula.firstboot.package = pkgs.curl; networking.hostName = "x"; }',
    );
    const m = machine(homelab, "node-01", { extra });
    expect(m.values).toMatchObject({
      "systemd.services.macula-firstboot.unitConfig": {
        ConditionPathExists: "!/var/lib/maculaos/.configured",
      },
      "macula.firstboot.port": 8080,
    });
    const unit = m.values["systemd.services.macula-firstboot.serviceConfig"];
    expect(unit).toMatchObject({
      User: "macula-firstboot",
      StateDirectory: "maculaos",
      RuntimeMaxSec: "30min",
    });
    const without = machine(homelab, "node-02", { extra: module("{ macula.firstboot.enable = true; }") });
    expect(without.failed).toEqual([expect.stringContaining("macula.firstboot.package")]);
  });

  it("pulls by itself only over https from a signed cache", () => {
    const pull = module("{ macula.pull.enable = true; }");
    expect(machine(fixture("commons"), "gent-peer-01", { extra: pull }).failed).toEqual([]);
    expect(machine(homelab, "node-02", { extra: pull }).failed).toEqual([
      expect.stringContaining("https://"),
      expect.stringContaining("publicKey"),
    ]);
    const commons = machine(fixture("commons"), "gent-peer-01", { extra: pull });
    expect(commons.values["macula.pull.url"]).toBe("https://cache.commons.example/macula-fleet/gent-peer-01");
  });

  it("can be tried in QEMU without its real network", () => {
    const { "ber-boot-01": m } = vms(fixture("commons"));
    expect(m?.values["networking.useDHCP"]).toBe(true);
    expect(m?.values["virtualisation.forwardPorts"]).toEqual([
      { from: "host", host: { address: "127.0.0.1", port: 2222 }, guest: { port: 22 } },
    ]);
    expect(
      Object.keys(m?.values ?? {}).filter((path) => path.startsWith("systemd.network.networks")),
    ).toEqual([]);
  });

  it("is refused when nobody could administrate it", () => {
    const keyless = temporaryFile(
      "fleet.json",
      JSON.stringify({ fleet: { name: "x", realm: "a.b" }, hosts: { solo: { disk: { device: "image" } } } }),
    );
    expect(machine(keyless, "solo").failed).toEqual([expect.stringContaining("users.NAME.keys")]);
    expect(machine(keyless, "solo", { operatorKeys: ["ssh-ed25519 AAAA op"] }).failed).toEqual([]);
  });

  it.each([
    ["a role", '{ services.macula.role = "edge"; }', "services.macula.role"],
    ["a realm", '{ services.macula.realm = "NotADomain"; }', "services.macula.realm"],
    ["a port", "{ macula.firstboot.port = 70000; }", "macula.firstboot.port"],
    ["a backend", '{ macula.k3s.flannelBackend = "ipsec"; }', "macula.k3s.flannelBackend"],
    ["a literal secret", '{ macula.secrets.x.ref = "K10deadbeef"; }', "macula.secrets.x.ref"],
  ])("refuses a wrong value for %s", (_, extra, option) => {
    expect(refusal(() => machine(homelab, "node-01", { extra: module(extra) }))).toContain(option);
  });

  it("takes plain definitions over every default of the flake", () => {
    const extra = module(`{ lib, ... }: {
      time.timeZone = "Europe/Paris";
      boot.loader.timeout = 0;
      boot.kernel.sysctl."kernel.panic" = 1;
      networking.firewall.checkReversePath = true;
      services.openssh.settings.MaxAuthTries = 3;
      macula.mdns.enable = false;
    }`);
    const { values } = machine(homelab, "node-01", { extra });
    expect(values["time.timeZone"]).toBe("Europe/Paris");
    expect(values["boot.loader.timeout"]).toBe(0);
    expect(values["boot.kernel.sysctl"]).toMatchObject({ "kernel.panic": 1 });
    expect(values["services.openssh.settings"]).toMatchObject({ MaxAuthTries: 3 });
    expect(values["services.avahi.enable"]).toBeUndefined();
  });
});
