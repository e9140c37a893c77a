/** The table of what is kept, the gates, the commands for a cluster, and what can be done after a failure. */
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GATES, judgeConversion } from "../../src/convert/gates.ts";
import { cluster, parseNodes } from "../../src/convert/k3s/kubectl.ts";
import { archivedPaths, fateOf, KEEP, keptPaths } from "../../src/convert/keep.ts";
import { identityProblem, prove } from "../../src/convert/proofs.ts";
import { recoveryFrom } from "../../src/convert/recovery.ts";
import { startServices, stopServices } from "../../src/convert/service.ts";
import { parseSurvey, ROOT_SHELL, type Survey } from "../../src/convert/survey.ts";
import type { HostFacts } from "../../src/host/protocol.ts";
import { quote } from "../../src/kernel/shell.ts";
import { HostState } from "../../src/rollout/events.ts";
import { aHost } from "../support/fleet.ts";

describe("the table", () => {
  test.each<[string, boolean, string, string | null]>([
    ["/var/lib/maculaos/identity.json", false, "keep", "/var/lib/maculaos/identity.json"],
    ["/var/lib/maculaos/ssh/ssh_host_ed25519_key", false, "keep", "/etc/ssh/ssh_host_ed25519_key"],
    ["/var/lib/maculaos/node/password", false, "keep", "/etc/rancher/node/password"],
    ["/var/lib/rancher/k3os/identity.json", false, "keep", "/var/lib/maculaos/identity.json"],
    ["/home/rancher/notes", false, "keep", "/home/macula/notes"],
    ["/home/macula/.ssh/authorized_keys", false, "archive", null],
    ["/var/lib/rancher/k3s/server/db/state.db", false, "archive", null],
    ["/var/lib/rancher/k3s/server/db/state.db", true, "keep", "/var/lib/rancher/k3s/server/db/state.db"],
    ["/var/lib/rancher/k3s/server/tls/server-ca.key", false, "archive", null],
    ["/var/lib/rancher/k3s/storage/pvc-1/x", false, "keep", "/var/lib/rancher/k3s/storage/pvc-1/x"],
    ["/var/lib/rancher/k3s/agent/client-kubelet.crt", false, "drop", null],
    ["/var/lib/maculaos/backups/old.tar", false, "archive", null],
    ["/var/log/messages", false, "drop", null],
    ["/opt/a\nb", false, "keep", "/opt/a\nb"],
  ])("%s (datastore kept: %s) -> %s", (path, datastore, action, to) => {
    expect(fateOf(path, { datastore })).toMatchObject({ action, to });
    expect(fateOf(path.slice(1), { datastore })).toMatchObject({ action, to });
  });

  test.each([
    "/etc/ssh/sshd_config",
    "/etc/passwd",
    "/var/lib/rancher/k3s/server/manifests/system-upgrade-controller.yaml",
    "/var/lib/rancher/k3s/server/manifests/coredns.yaml",
    "/opt2/x",
  ])("%s is no business of a conversion", (path) => {
    expect(fateOf(path, { datastore: true })).toBeNull();
  });

  test("everything that is not dropped is archived, and what is kept can be listed again", () => {
    for (const row of KEEP) {
      for (const path of row.paths) expect(archivedPaths().includes(path), path).toBe(row.action !== "drop");
    }
    expect(keptPaths()).toContain("/etc/ssh/ssh_host_*");
    expect(keptPaths()).not.toContain("/var/lib/maculaos/config.yaml");
  });
});

const good: Survey = {
  os: "maculaos",
  root: true,
  tar: "gnu",
  acls: true,
  setsidWait: true,
  luks: false,
  homeFree: 2_000_000,
  role: "server",
  datastore: "sqlite",
  version: "1.23.3",
  token: true,
  hostKey: true,
  mounts: [],
  sizes: {},
};
const facts = { arch: "x86_64", bootMode: "uefi" } as HostFacts;
const host = aHost("edge-1", "peer", {
  os: "k3os",
  disk: { device: "facts", serial: "S1", layout: "x", espSize: "1GiB", keep: [], data: {} },
});

describe("gates", () => {
  test("a fit node passes all", () => expect(judgeConversion(host, facts, good)).toEqual([]));

  const broken: Readonly<Record<string, readonly [Partial<Survey>, Partial<HostFacts>]>> = {
    "not-k3os": [{ os: "debian" }, {}],
    arch: [{}, { arch: "armv7l" }],
    rpi: [{}, { bootMode: "rpi" }],
    luks: [{ luks: true }, {}],
    root: [{ root: false }, {}],
    tar: [{ tar: "other" }, {}],
    setsid: [{ setsidWait: false }, {}],
    "host-key": [{ hostKey: false }, {}],
    "home-space": [{ homeFree: 1000 }, {}],
    mounts: [{ mounts: ["/var/lib/data/vol"] }, {}],
    acls: [{ acls: false }, {}],
  };
  test.each(Object.entries(broken))("%s", (code, [survey, fact]) => {
    const found = judgeConversion(host, { ...facts, ...fact }, { ...good, ...survey });
    expect(found.map((r) => r.code)).toEqual([code]);
    expect(found[0]?.fix).not.toBe("");
  });
  test("an unnamed disk is pointed out", () => {
    const unnamed = { ...host, disk: { ...host.disk, device: "auto" } };
    const { serial: _, ...disk } = unnamed.disk;
    expect(judgeConversion({ ...unnamed, disk }, facts, good).map((r) => r.code)).toEqual(["no-serial"]);
  });
  test("every gate has a case", () =>
    expect(GATES.map((g) => g.code).sort()).toEqual([...Object.keys(broken), "no-serial"].sort()));
});

describe("the survey", () => {
  test("reads what the script prints", () => {
    const said = parseSurvey(
      "os maculaos\nroot 1\ntar gnu\nrole agent\nversion \nmount /opt/a b\nsize 12 /etc/ssh/ssh_host_*\nEND\n",
    );
    expect(said).toMatchObject({
      os: "maculaos",
      root: true,
      tar: "gnu",
      role: "agent",
      version: null,
      datastore: "none",
      mounts: ["/opt/a b"],
      sizes: { "/etc/ssh/ssh_host_*": 12 },
    });
  });
  test("does not believe half an answer", () => {
    expect(() => parseSurvey("os maculaos\n", "lost")).toThrow(/ended early: lost/);
  });
});

describe("commands for the cluster", () => {
  test("are words, whatever the node is called", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9.'$ `-]{1,20}$/), (name) => {
        for (const command of [cluster.cordon(name), cluster.drain(name, 30), cluster.uncordon(name)]) {
          expect(command.line).toBe(ROOT_SHELL);
          expect(command.stdin).toContain(` ${quote(name)}`);
          expect(command.label.startsWith("kubectl")).toBe(true);
        }
      }),
    );
    expect(cluster.drain("edge-1", 300).stdin).toContain(
      "k3s kubectl drain edge-1 --ignore-daemonsets --delete-emptydir-data --force --timeout=300s",
    );
    expect(cluster.forget("edge-1").stdin).toContain("k3s kubectl delete node edge-1 --ignore-not-found");
    expect(cluster.snapshot("x").stdin).toContain("k3s etcd-snapshot save --name x");
    expect(cluster.strip("edge-1", ["macula.io/mode"]).stdin).toContain("label node edge-1 macula.io/mode-");
  });
  test("nodes as the cluster tells them", () => {
    const node = {
      metadata: { name: "a", uid: "u", labels: { "node-role.kubernetes.io/master": "true" } },
      spec: { unschedulable: true },
      status: { nodeInfo: { kubeletVersion: "v1.23.3" }, conditions: [{ type: "Ready", status: "Unknown" }] },
    };
    expect(parseNodes(JSON.stringify({ items: [node, {}] }))).toMatchObject([
      { name: "a", uid: "u", version: "v1.23.3", ready: false, server: true, cordoned: true },
      { name: "", ready: false, server: false },
    ]);
    expect(parseNodes("Error from server")).toEqual([]);
  });
  test("services stop before they are copied and start in the opposite order", () => {
    expect(String(stopServices.stdin)).toMatch(
      /for s in k3s-service .* crond; do[\s\S]*k3s-killall\.sh[\s\S]*sync/,
    );
    expect(String(startServices.stdin)).toMatch(/for s in crond .* k3s-service; do/);
  });
});

describe("after a failure", () => {
  test("until the disk is erased it can be undone, afterwards only finished", () => {
    const undoable = HostState.options.filter((s) => recoveryFrom(s, "edge-1", null).canUndo);
    expect(undoable.sort()).toEqual(
      ["draining", "kexec", "leaving", "pending", "preflight", "saving"].sort(),
    );
    expect(recoveryFrom("kexec", "edge-1", null).says).toContain("a power cycle brings k3OS back");
    expect(recoveryFrom("installing", "edge-1", "/a/edge-1.tar.age").says).toMatch(
      /only finished: .*--continue; .*\/a\/edge-1\.tar\.age/,
    );
    expect(recoveryFrom("updated", "edge-1", null).canContinue).toBe(false);
  });
});

describe("a mesh identity", () => {
  const make = () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const pub = Buffer.from(String(publicKey.export({ format: "jwk" }).x), "base64url");
    const seed = Buffer.from(String(privateKey.export({ format: "jwk" }).d), "base64url");
    return {
      public_key: pub.toString("base64"),
      private_key: seed.toString("base64"),
      did: `did:macula:${pub.subarray(0, 16).toString("base64url")}`,
    };
  };
  test("is recomputed from its private key", () => {
    const mine = make();
    expect(identityProblem(JSON.stringify(mine))).toEqual({ did: mine.did });
  });
  test("that does not fit together is found", () => {
    const [a, b] = [make(), make()];
    expect(identityProblem(JSON.stringify({ ...a, private_key: b.private_key }))).toMatchObject({
      problem: /does not belong/.exec("its public key does not belong to its private key")?.input,
    });
    expect(identityProblem(JSON.stringify({ ...a, did: b.did }))).toMatchObject({
      problem: expect.stringContaining(`keys make ${a.did}`),
    });
    expect(identityProblem("{}")).toMatchObject({ problem: "identity.json is not an identity" });
    expect(identityProblem(JSON.stringify({ ...a, public_key: "AAAA" }))).toMatchObject({
      problem: expect.stringContaining("Ed25519"),
    });
  });
});

describe("proofs", () => {
  const file = (path: string, sha256 = "s") =>
    ({ path, type: "file", mode: "0600", uid: 0, gid: 0, size: 3, sha256 }) as const;
  const of = (...entries: ReturnType<typeof file>[]) => new Map(entries.map((e) => [e.path, e]));
  const evidence = {
    archive: of(file("etc/rancher/node/password")),
    expected: of(file("etc/rancher/node/password")),
    found: of(file("etc/rancher/node/password")),
    texts: new Map<string, string>(),
    database: null as { ok: boolean; detail: string } | null,
    datastore: false,
    presented: "SHA256:x",
    loginKeys: [] as readonly string[],
    keysLeft: [] as readonly string[],
    importedBefore: "a",
    importedNow: "a",
  };
  const failed = (change: Partial<typeof evidence>) =>
    prove({ ...evidence, ...change })
      .filter((p) => !p.ok)
      .map((p) => p.row);

  test("hold where everything is as it was; rows without files are not counted", () => {
    expect(prove(evidence)).toEqual([
      {
        row: "node-password",
        what: "k3s node password",
        ok: true,
        detail: expect.stringContaining("1 files, 3 bytes"),
      },
    ]);
  });
  test("fail for a changed or missing file, another key, another fragment, a lost login", () => {
    expect(failed({ found: of(file("etc/rancher/node/password", "t")) })).toEqual(["node-password"]);
    expect(failed({ found: of() })).toEqual(["node-password"]);
    const keys = of(file("etc/ssh/ssh_host_ed25519_key.pub"));
    expect(
      failed({
        archive: keys,
        expected: keys,
        found: keys,
        texts: new Map([["etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA x"]]),
      }),
    ).toEqual(["host-keys"]);
    const config = of(file("var/lib/maculaos/config.yaml"));
    expect(failed({ archive: config, expected: of(), found: of(), importedNow: "b" })).toEqual([
      "configuration",
    ]);
    const store = of(file("var/lib/rancher/k3s/server/db/state.db"));
    const damaged = { ok: false, detail: "malformed" };
    expect(
      failed({ archive: store, expected: store, found: store, datastore: true, database: damaged }),
    ).toEqual(["datastore"]);
    const login = of(file("home/macula/.ssh/authorized_keys"));
    expect(
      failed({
        archive: login,
        expected: of(),
        found: of(),
        texts: new Map([["home/macula/.ssh/authorized_keys", "ssh-ed25519 AAAAB alice\n"]]),
      }),
    ).toEqual(["login-keys"]);
  });
  test("of a login: its key with or without options and comments; a lost one only when a person said so", () => {
    const path = "home/macula/.ssh/authorized_keys";
    const login = {
      archive: of(file(path), file("opt/gitea/authorized_keys")),
      expected: of(file("opt/gitea/authorized_keys")),
      found: of(file("opt/gitea/authorized_keys")),
      texts: new Map([
        [path, '# ssh-ed25519 AAAAX old\nfrom="10.0.0.0/8" ssh-ed25519  AAAAB alice\nssh-rsa AAAAC\n'],
        // Keys of a program of the user's own log nobody in here.
        ["opt/gitea/authorized_keys", "ssh-ed25519 AAAAD carol\n"],
      ]),
    };
    const kept = ["ssh-ed25519 AAAAB ops", "ssh-rsa AAAAC"];
    expect(failed({ ...login, loginKeys: kept })).toEqual([]);
    expect(failed({ ...login, loginKeys: kept.slice(0, 1) })).toEqual(["login-keys"]);
    expect(failed({ ...login, loginKeys: kept.slice(1) })).toEqual(["login-keys"]);
    const accepted = { ...evidence, ...login, loginKeys: kept.slice(1), keysLeft: ["ssh-ed25519 AAAAB"] };
    expect(prove(accepted).find((p) => p.row === "login-keys")).toMatchObject({
      ok: true,
      detail: "1 keys, all in the inventory; 1 left behind, as was accepted",
    });
  });
});
