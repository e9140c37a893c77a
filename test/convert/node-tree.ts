/** A k3OS node's files, as real as they can be made here: real keys, a real identity, a real database. */
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { chmodSync, chownSync, lchownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export interface NodeTree {
  readonly did: string;
  /** `ssh-ed25519 AAAA…` of the node's host key. */
  readonly hostKey: string;
  /** Texts that must never be seen anywhere. */
  readonly secrets: readonly string[];
}

/** Builds it below `root`. Owners other than the caller need root. */
export function buildNodeTree(root: string): NodeTree {
  const asRoot = process.getuid?.() === 0;
  const put = (
    path: string,
    content: string | Uint8Array,
    mode = 0o600,
    owner?: readonly [number, number],
  ) => {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
    if (owner && asRoot) chownSync(file, owner[0], owner[1]);
  };
  const OS = "var/lib/maculaos";
  const K3S = "var/lib/rancher/k3s";

  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = (key: typeof publicKey, field: "x" | "d") =>
    Buffer.from(String(key.export({ format: "jwk" })[field]), "base64url");
  const pub = raw(publicKey, "x");
  const did = `did:macula:${pub.subarray(0, 16).toString("base64url")}`;
  const meshKey = raw(privateKey, "d").toString("base64");
  put(
    `${OS}/identity.json`,
    JSON.stringify({ public_key: pub.toString("base64"), private_key: meshKey, did }),
  );

  mkdirSync(join(root, "etc/ssh"), { recursive: true });
  for (const type of ["ed25519", "ecdsa"]) {
    execFileSync("ssh-keygen", [
      "-q",
      "-t",
      type,
      "-N",
      "",
      "-C",
      "node",
      "-f",
      join(root, `etc/ssh/ssh_host_${type}_key`),
    ]);
  }
  put("etc/ssh/sshd_config", "AllowTcpForwarding no\n", 0o644);
  const portal = `refresh-${randomBytes(12).toString("hex")}`;
  put(
    `${OS}/portal-token.json`,
    JSON.stringify({ refresh_token: portal, user_name: "alice", org_identity: "io.macula.acme" }),
  );
  const password = randomBytes(16).toString("hex");
  put("etc/rancher/node/password", password);
  const ca = `-----BEGIN CERTIFICATE-----\n${randomBytes(48).toString("base64")}\n-----END CERTIFICATE-----\n`;
  const token = `K10${createHash("sha256").update(ca).digest("hex")}::server:${randomBytes(16).toString("hex")}`;
  put(`${K3S}/server/token`, `${token}\n`);
  put(`${K3S}/server/tls/server-ca.crt`, ca, 0o644);
  put(`${K3S}/server/manifests/system-upgrade-plans.yaml`, "kind: Plan\n", 0o644);
  put(`${K3S}/server/manifests/mine.yaml`, "kind: ConfigMap\n", 0o644);
  put(`${K3S}/agent/containerd/big`, randomBytes(100_000));
  database(join(root, K3S, "server/db"));

  const volume = `${K3S}/storage/pvc-1_default_data`;
  put(`${volume}/data file with spaces`, randomBytes(300_000), 0o640, [1234, 4321]);
  put(`${volume}/${"deep/".repeat(30)}leaf`, "far down", 0o644, [1234, 4321]);
  put(`${volume}/naïve\nname`, "odd", 0o444, [65534, 65534]);
  put(`${volume}/empty`, "", 0o600);
  mkdirSync(join(root, volume, "setgid"), { recursive: true });
  chmodSync(join(root, volume, "setgid"), 0o2770);
  symlinkSync("../data file with spaces", join(root, volume, "setgid/link"));
  linkSync(join(root, volume, "empty"), join(root, volume, "same-empty"));
  if (asRoot) lchownSync(join(root, volume, "setgid/link"), 1234, 4321);

  put(
    "home/macula/.ssh/authorized_keys",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHomeLabOperatorKeyExampleOnly ops\n",
    0o600,
    [1000, 1000],
  );
  put("home/macula/notes.txt", "do not lose me\n", 0o644, [1000, 1000]);
  put("opt/app/run.sh", "#!/bin/sh\n", 0o755);
  const wifi = "correct horse battery";
  put(
    "var/lib/connman/wifi_001122334455_73686564_managed_psk/settings",
    `[wifi]\nName=shed\nPassphrase=${wifi}\n`,
  );
  put(`${OS}/config.yaml`, "hostname: edge-1\nmaculaos: {modules: [wireguard], labels: {zone: cellar}}\n");
  put("macula/system/config.yaml", "maculaos: {sysctls: {vm.swappiness: 1}, k3s_args: [server]}\n");
  put("etc/cron.d/cleanup", "0 3 * * * root true\n", 0o644);
  put(`${OS}/git/repos/fleet.git/HEAD`, "ref: refs/heads/main\n", 0o644, [990, 990]);
  put(`${OS}/nats/jetstream/meta`, randomBytes(2000), 0o600, [991, 991]);
  put(`${OS}/backups/old.tar.gz`, randomBytes(5000));
  const hostKey = execFileSync("ssh-keygen", ["-y", "-f", join(root, "etc/ssh/ssh_host_ed25519_key")], {
    encoding: "utf8",
  });
  return {
    did,
    hostKey: hostKey.trim().split(" ").slice(0, 2).join(" "),
    secrets: [meshKey, portal, password, token, wifi],
  };
}

/** What k3s keeps its cluster in when it has no etcd. */
function database(dir: string): void {
  mkdirSync(dir, { recursive: true });
  const db = new DatabaseSync(join(dir, "state.db"));
  db.exec("CREATE TABLE kine (id INTEGER PRIMARY KEY, name TEXT, value BLOB)");
  const insert = db.prepare("INSERT INTO kine (name, value) VALUES (?, ?)");
  db.exec("BEGIN");
  for (let i = 0; i < 200; i++) insert.run(`/registry/pods/p${i}`, randomBytes(50));
  db.exec("COMMIT");
  db.close();
}
