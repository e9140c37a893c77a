/** Promises about machines, whatever the golden files say. */
import { expect, it } from "vitest";
import { machine, machines, vms } from "./machine.ts";
import { describeNix, FIXTURES, fixture, readJson, refusal, temporaryFile } from "./nix.ts";

const homelab = fixture("homelab");
const module = (text: string): string => temporaryFile("extra.nix", text);

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
      StandardOutput: "tty",
      StandardError: "journal",
    });
    expect(m.values["macula.firstboot.arguments"]).toEqual(expect.arrayContaining(["--timeout", "30min"]));
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
    // Neither a changed program nor a system without pull mode ends the trial that is under way, and no job of its own
    // keeps the machine from being up.
    expect(commons.values["systemd.services.macula-pull.restartIfChanged"]).toBe(false);
    expect(commons.values["systemd.services.macula-pull.stopIfChanged"]).toBe(false);
    expect(commons.values["systemd.services.macula-pull.unitConfig"]).toEqual({ "X-StopOnRemoval": false });
    expect(commons.values["systemd.services.macula-pull.serviceConfig"]).toMatchObject({ Type: "exec" });
    const hasty = module("{ macula.pull = { enable = true; confirmSec = 45; }; }");
    expect(refusal(() => machine(fixture("commons"), "gent-peer-01", { extra: hasty }))).toContain(
      "confirmSec",
    );
    expect(commons.values["macula.pull.url"]).toBe("https://cache.commons.example/macula-fleet/gent-peer-01");
  });

  it("restarts what uses a secret when that is delivered anew, with the activation", () => {
    const m = machine(homelab, "node-01");
    expect(m.values["environment.etc.macula/secret-units.text"]).toContain(
      "/var/lib/macula-fleet/secrets/k3s-token k3s.service\n",
    );
    expect(m.values["system.activationScripts"]).toMatchObject({
      "macula-secrets": { deps: ["etc"], text: expect.stringContaining("activation-restart-list") },
    });
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
