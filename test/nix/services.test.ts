/** What k3OS nodes ran beside k3s, from the inventory's words to units: Console, NATS, Soft Serve, backups. */
import { renameSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { list, type Machine, machine, text } from "./machine.ts";
import { describeNix, fixture, readJson, refusal, temporaryFile } from "./nix.ts";
import { stage } from "./shims.ts";

type Fields = Record<string, unknown>;
const homelab = readJson(fixture("homelab")) as { hosts: ({ name: string } & Fields)[] };

/** node-01 (server) or node-02 (agent) of the home lab, with more said about it. */
function host(more: Fields, name = "node-01"): Machine {
  const hosts = homelab.hosts.map((h) => (h.name === name ? { ...h, ...more } : h));
  return machine(temporaryFile("fleet.json", JSON.stringify({ ...homelab, hosts })), name);
}

describeNix("services of the inventory", () => {
  it("are off unless asked for", () => {
    const { values } = host({});
    for (const service of ["nats", "soft-serve"])
      expect(values[`services.${service}.enable`]).toBeUndefined();
    expect(Object.keys(values).filter((path) => path.startsWith("services.restic."))).toEqual([]);
  });

  it("consent.d: programs of its owner, which both rollouts and pull mode ask", () => {
    const module = (text: string) => temporaryFile("extra.nix", `{ macula.consent = { ${text} }; }`);
    const shop = `"10-shop" = ''\n[ -e /run/closed ] || exit 21\n'';`;
    const m = machine(fixture("homelab"), "node-01", { extra: module(shop) });
    const etc = "environment.etc.macula-fleet/consent.d/10-shop";
    expect(text(m, `${etc}.text`)).toBe("#!/bin/sh\n[ -e /run/closed ] || exit 21\n");
    expect(m.values[`${etc}.mode`]).toBe("0755");
    const odd = module('"a/b" = "exit 0";');
    expect(machine(fixture("homelab"), "node-01", { extra: odd }).failed).toContainEqual(
      expect.stringContaining("a/b is no name for a program"),
    );
  });

  it("NATS: for this machine alone, its streams on disk, taken over from k3OS", () => {
    const m = host({ services: { nats: { enable: true } } });
    expect(m.values).toMatchObject({
      "services.nats.enable": true,
      "services.nats.port": 4222,
      "services.nats.jetstream": true,
      "services.nats.serverName": "node-01",
      "services.nats.settings": { host: "127.0.0.1" },
    });
    expect(m.values["systemd.services.nats.serviceConfig"]).toEqual({
      TimeoutStartSec: "infinity",
      ExecStartPre: [
        expect.stringMatching(/^\+\S+macula-adopt \/var\/lib\/maculaos\/nats \/var\/lib\/nats$/),
      ],
    });
    expect(list(m, "networking.firewall.allowedTCPPorts")).not.toContain(4222);
    expect(text(m, "environment.etc.macula/health.conf.text")).toContain("listen\tnats\ttcp\t4222\n");
  });

  it("NATS for others opens its port", () => {
    const m = host({ services: { nats: { enable: true, listen: "0.0.0.0", port: 4333, jetstream: false } } });
    expect(list(m, "networking.firewall.allowedTCPPorts")).toContain(4333);
    expect(m.values["systemd.services.nats.serviceConfig"]).toBeUndefined();
  });

  it("Soft Serve: git over SSH for the machine's own people, closed to others", () => {
    const m = host({ services: { softServe: { enable: true, port: 2222 } } });
    const settings = m.values["services.soft-serve.settings"] as Fields;
    expect(m.values["systemd.services.soft-serve.serviceConfig"]).toMatchObject({
      TimeoutStartSec: "infinity",
    });
    expect(settings).toMatchObject({
      ssh: { listen_addr: ":2222", public_url: "ssh://node-01:2222" },
      http: { enabled: false },
    });
    expect(settings.initial_admin_keys).toHaveLength(1);
    expect(list(m, "networking.firewall.allowedTCPPorts")).not.toContain(2222);
    const open = host({ services: { softServe: { enable: true, openFirewall: true } } });
    expect(list(open, "networking.firewall.allowedTCPPorts")).toContain(23231);
  });

  it("do not write where a data disk belongs before it is mounted", () => {
    const disk = (mountpoint: string) => ({ device: `/dev/disk/by-id/${mountpoint}`, mountpoint });
    const data = {
      pv: disk("/var/lib/rancher/k3s/storage"),
      streams: disk("/var/lib/nats/jetstream"),
      other: disk("/srv"),
    };
    const { disk: own } = homelab.hosts.find((h) => h.name === "node-01") as { disk?: object };
    const m = host({
      disk: { ...own, data },
      services: { nats: { enable: true }, softServe: { enable: true } },
    });
    const needs = (unit: string) =>
      (m.values[`systemd.services.${unit}.unitConfig`] as Fields).RequiresMountsFor;
    expect(needs("k3s")).toEqual(["/var/lib/rancher/k3s", "/var/lib/rancher/k3s/storage"]);
    expect(needs("nats")).toEqual(["/var/lib/nats", "/var/lib/nats/jetstream"]);
    expect(needs("soft-serve")).toEqual(["/var/lib/private/soft-serve"]);
  });

  it("refuse a word their module does not have", () => {
    expect(refusal(() => host({ services: { nats: { enable: true, prot: 1 } } }))).toContain(
      "macula.nats.prot",
    );
  });
});

const BACKUP = {
  enable: true,
  repository: "s3:https://s3.example/node-01",
  passwordRef: "env:P",
  schedule: "*-*-* 03:00:00",
  retention: 7,
  include: ["/srv/my data"],
  exclude: ["*.tmp"],
};

describeNix("backups", () => {
  const at = (m: Machine, option: string) => m.values[`services.restic.backups.macula.${option}`];

  it("take what nothing else could bring back, and the datastore as its owner writes it", () => {
    const m = host({ backup: BACKUP });
    expect(m.failed).toEqual([]);
    const paths = String(at(m, "dynamicFilesFrom"));
    for (const path of [
      "/var/lib/maculaos",
      "/etc/ssh",
      "/var/lib/rancher/k3s/storage",
      "/var/lib/rancher/k3s/server/db/snapshots",
      "'/srv/my data'",
    ])
      expect(paths).toContain(path);
    expect(paths).not.toMatch(/state\.db/);
    expect(String(at(m, "backupPrepareCommand"))).toContain(".backup '");
    expect(at(m, "pruneOpts")).toEqual(["--keep-last 7"]);
    expect(at(m, "timerConfig")).toMatchObject({ OnCalendar: "*-*-* 03:00:00", Persistent: true });
    expect(at(m, "passwordFile")).toBe("/var/lib/macula-fleet/secrets/backup-passphrase");
    expect(m.secrets["backup-passphrase"]?.ref).toBe("env:P");
  });

  it("of an agent leave the control plane alone", () => {
    const m = host({ backup: BACKUP }, "node-02");
    expect(String(at(m, "dynamicFilesFrom"))).not.toContain("/server/");
    expect(at(m, "backupPrepareCommand")).toBeUndefined();
  });

  it("without a place to go are refused with what to say", () => {
    expect(host({ backup: { enable: true } }).failed).toEqual([
      expect.stringContaining("host node-01: backup needs a repository and a passwordRef"),
    ]);
  });

  it("that fail do not stop a rollout", () => {
    expect(text(host({ backup: BACKUP }), "environment.etc.macula/health.conf.text")).toContain(
      "units\tunits\trestic-backups-macula.service\n",
    );
  });
});

describe("macula-adopt", () => {
  const SCRIPT = "modules/adopt/macula-adopt.sh";
  const prepare = () => {
    const s = stage();
    s.write("old/jetstream/stream", "1");
    s.write("old/.hidden", "2");
    s.write("new/.macula-adopt/half", "left by a power cut");
    return { s, run: () => s.run(SCRIPT, [s.path("old"), s.path("new")]) };
  };

  it("fills an empty directory, once, and leaves the source", () => {
    const { s, run } = prepare();
    expect(run()).toMatchObject({ code: 0, stderr: "" });
    expect([s.read("new/jetstream/stream"), s.read("new/.hidden"), s.read("old/jetstream/stream")]).toEqual([
      "1",
      "2",
      "1",
    ]);
    expect(() => s.read("new/.macula-adopt/half")).toThrow();
    s.write("old/jetstream/stream", "older");
    expect(run().code).toBe(0);
    expect(s.read("new/jetstream/stream")).toBe("1");
  });

  it("does nothing where there is nothing, or where the service has data of its own", () => {
    const { s } = prepare();
    expect(s.run(SCRIPT, [s.path("nowhere"), s.path("new")]).code).toBe(0);
    s.write("new/own", "3");
    expect(s.run(SCRIPT, [s.path("old"), s.path("new")]).code).toBe(0);
    expect(() => s.read("new/jetstream/stream")).toThrow();
  });

  it("cut off between two moves, goes on where it was, and the service does not start on half", () => {
    const { s, run } = prepare();
    s.program("mv", `[ "$1" = -T ] || exit 1; exec /bin/mv "$@"`);
    expect(run().code).toBe(1);
    s.program("mv", 'exec /bin/mv "$@"');
    // One of two was moved when the power went; the predecessor's data may even be gone by now.
    renameSync(s.path("new/.macula-adopt-whole/jetstream"), s.path("new/jetstream"));
    rmSync(s.path("old"), { recursive: true });
    expect(run()).toMatchObject({ code: 0, stderr: "" });
    expect([s.read("new/jetstream/stream"), s.read("new/.hidden")]).toEqual(["1", "2"]);
    expect(s.exists("new/.macula-adopt-whole")).toBe(false);
  });

  it("fails, and is not taken for done, when the copy does", () => {
    const { s, run } = prepare();
    s.program("cp", "exit 1");
    expect(run().code).toBe(1);
    expect(() => s.read("new/jetstream/stream")).toThrow();
  });
});
