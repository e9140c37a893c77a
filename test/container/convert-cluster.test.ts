/**
 * k3OS nodes that are members of a cluster become NixOS ones, over real ssh. The nodes' whole userland is BusyBox
 * (`k3os/make-root.sh`); nixos-anywhere, its kexec and k3s are stand-ins, k3s one that keeps its cluster's state.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseDocument } from "yaml";
import { labLayout } from "../../src/lab/layout.ts";
import { buildNodeTree, type NodeTree } from "../convert/node-tree.ts";
import { type LabFixture, onContainers, startLabFixture } from "./fixture.ts";
import { becomeK3os, joinCluster } from "./k3os.ts";

const here = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));
const CLI = fileURLToPath(new URL("../../bin/macula-fleet.js", import.meta.url));
const TOKEN = "K10aaaa::server:lab-cluster-token";
const VERSION = "v1.34.2+k3s1";
/** node-01 keeps the cluster's state. */
const [FIRST, SECOND, AGENT, SERVER] = ["node-01", "node-02", "node-03", "node-04"] as const;

onContainers("convert members of a cluster", () => {
  let lab: LabFixture;
  let work: string;
  const trees = new Map<string, NodeTree>();
  const inventory = () => labLayout(lab.dir).inventory;
  const run = async (...args: readonly string[]) => {
    const result = await execa(process.execPath, [CLI, ...args, "-i", inventory(), "--yes"], {
      reject: false,
      all: true,
      stdin: "ignore",
    });
    return { code: result.exitCode, said: result.all };
  };
  const convert = (name: string, ...args: readonly string[]) =>
    run(
      "convert",
      name,
      ...["--nixos-anywhere", here("install/nixos-anywhere"), "--kexec", join(work, "kexec.tar.gz")],
      ...args,
    );
  const setHost = async (name: string, values: Readonly<Record<string, unknown>>) => {
    const text = parseDocument(await readFile(inventory(), "utf8"));
    for (const [key, value] of Object.entries(values)) text.setIn(["hosts", name, ...key.split(".")], value);
    await writeFile(inventory(), text.toString());
  };
  const state = (script: string) => lab.host(FIRST).exec(`cd /var/lib/fake-k3s && ${script}`);
  const inNode = (name: string, script: string) => lab.host(name).exec(`chroot /k3os /bin/sh -c '${script}'`);
  const brokenAt = async (phase: string, message: string) => {
    const file = join(work, `broken-${phase}`);
    const real = here("install/nixos-anywhere");
    await writeFile(
      file,
      `#!/bin/sh\ncase "$*" in *"--phases ${phase}"*) echo "${message}"; exit 1 ;; esac\nexec ${real} "$@"\n`,
      { mode: 0o755 },
    );
    return file;
  };
  const table = (said: string) =>
    said
      .split("\n")
      .filter((l) => /^\s+(?:ok|FAILED) |^preserved|^archive:/.test(l))
      .join("\n");

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "mf-cluster-"));
    await mkdir(join(work, "kexec"));
    await copyFile(here("install/kexec-run.sh"), join(work, "kexec", "run"));
    await execa("tar", ["-C", work, "-czf", join(work, "kexec.tar.gz"), "kexec"]);
    lab = await startLabFixture(4);
    const store = lab.host(FIRST).host.address;
    const members = [FIRST, SECOND, AGENT, SERVER].map((name) => ({
      name,
      role: name === AGENT ? ("agent" as const) : ("server" as const),
      version: VERSION,
      token: TOKEN,
      store,
    }));
    for (const m of members) await joinCluster(lab, m);
    await writeFile(join(lab.dir, "token"), TOKEN);
    for (const { name, role } of members.slice(2)) {
      const root = join(work, name);
      await mkdir(root);
      trees.set(name, buildNodeTree(root));
      await rm(join(root, "etc/cron.d"), { recursive: true });
      await rm(join(root, "var/lib/connman"), { recursive: true });
      const k3s = join(root, "var/lib/rancher/k3s");
      if (role === "agent") await rm(join(k3s, "server"), { recursive: true });
      else {
        await rm(join(k3s, "server/db"), { recursive: true });
        await mkdir(join(k3s, "server/db/etcd/member"), { recursive: true });
        await writeFile(join(k3s, "server/db/etcd/member/wal"), "raft");
      }
      // It was a member with this name and password already; what systemd started above goes.
      await lab.host(name).exec("systemctl stop k3s");
      await state(`rm -rf nodes/${name} members/${name} passwords/${name}`);
      await becomeK3os(lab, name, root, role);
    }
    const text = parseDocument(await readFile(inventory(), "utf8"));
    text.setIn(["clusters", "home"], { datastore: "etcd", tokenRef: "file:token" });
    await writeFile(inventory(), text.toString());
    const key = (await readFile(`${labLayout(lab.dir).identity}.pub`, "utf8")).trim();
    const example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHomeLabOperatorKeyExampleOnly ops";
    for (const { name, role } of members) await setHost(name, { k3s: { cluster: "home", role } });
    for (const name of [AGENT, SERVER])
      await setHost(name, {
        os: "k3os",
        convert: true,
        user: "macula",
        users: { macula: { keys: [example, key] } },
      });
    await state("until [ $(ls nodes | wc -l) = 4 ]; do sleep 0.2; done");
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    if (work) await rm(work, { recursive: true, force: true });
  });

  it("reads a node in whose userland is BusyBox", async () => {
    expect(await inNode(AGENT, "tar --help 2>&1 | head -n 1")).toContain("BusyBox");
    const out = join(work, "imported");
    const { said } = await run("import", AGENT, "--out", out);
    const yaml = await readFile(join(out, `${AGENT}.yaml`), "utf8");
    expect(yaml).toContain(trees.get(AGENT)?.did);
    for (const secret of trees.get(AGENT)?.secrets ?? []) expect(yaml + said).not.toContain(secret);
  });

  it("refuses what must not be, with the reason", async () => {
    const bare = await convert(AGENT, "--plan");
    expect(bare.said).toContain("its setsid has no --wait");
    expect(bare.said).toContain("its server runs 1.34, and a kubelet (1.35) must not be newer");
    expect(bare.code).toBe(5);
    // As the fixes say.
    for (const name of [AGENT, SERVER]) await lab.host(name).exec("cp /usr/bin/setsid /k3os/var/local/bin/");
    await setHost(AGENT, { "k3s.packageMinor": "1.34" });
    const fit = await convert(AGENT, "--plan");
    expect(fit.said).not.toContain("REFUSED");
    expect(fit.said).toContain("k3s: rejoin: same name and node password; servers run 1.34");
  });

  it("takes an agent back whose pods would not leave", async () => {
    await state("touch budget");
    const { code, said } = await convert(AGENT);
    expect(said).toContain("violate the pod's disruption budget");
    expect(said).toContain("--undo puts it back into service");
    expect(code).toBe(3);
    expect(await state(`cat nodes/${AGENT}/cordoned`)).toBe("true");
    const undone = await convert(AGENT, "--undo");
    expect(undone.said).toContain("serves as before");
    expect(undone.code).toBe(0);
    expect(await state(`cat nodes/${AGENT}/cordoned`)).toBe("false");
    expect(await inNode(AGENT, "kill -0 $(cat /run/k3s.pid) && echo runs")).toBe("runs");
    await state("rm budget");
  });

  it("touches nothing of a machine that shows another key", async () => {
    const { knownHosts } = labLayout(lab.dir);
    const known = await readFile(knownHosts, "utf8");
    const { address } = lab.host(AGENT).host;
    const other = known.split("\n").find((l) => l !== "" && !l.startsWith(`${address} `)) ?? "";
    const wrong = known.replace(new RegExp(`^${address} .*$`, "m"), other.replace(/^\S+/, address));
    await writeFile(knownHosts, wrong);
    try {
      for (const args of [["--plan"], []]) {
        const { code, said } = await convert(AGENT, ...args);
        expect(said).toContain("[host-key-changed]");
        expect(said).toContain("fix:");
        expect(code).toBe(1);
      }
    } finally {
      await writeFile(knownHosts, known);
    }
    expect(await inNode(AGENT, "kill -0 $(cat /run/k3s.pid) && echo runs")).toBe("runs");
  });

  it("erases nothing when what was copied is not what is there; runs again", async () => {
    const writer = "while :; do date >> /home/macula/busy.log; sleep 0.01; done";
    await inNode(AGENT, `(${writer}) > /dev/null 2>&1 & echo $! > /run/writer.pid`);
    const first = await convert(AGENT);
    expect(first.said).toMatch(
      /home\/macula\/busy\.log (?:size is|has another content)|they changed meanwhile|tar was not content/,
    );
    expect(first.said).toContain("its disk is untouched");
    expect(first.code).toBe(3);
    expect(await lab.host(AGENT).exec("ls /mnt; ls /k3os/home/macula")).toContain("notes.txt");
    await inNode(AGENT, "kill $(cat /run/writer.pid); rm /home/macula/busy.log");
    // The archive is made now; what starts the installer is broken until it is needed.
    const second = await convert(AGENT, "--continue", "--nixos-anywhere", await brokenAt("kexec", "no"));
    expect(second.said).toMatch(/saving -> kexec/);
    const third = await convert(AGENT, "--continue", "--nixos-anywhere", await brokenAt("kexec", "no"));
    expect(third.said).toMatch(/is still what is on it.*saving -> kexec/s);
    expect(third.said).not.toMatch(/-2\.tar\.age/);
    expect((await convert(AGENT, "--undo")).code).toBe(0);
  });

  it("says what helps when ssh is gone for good after kexec; copies what k3OS writes after a power cycle", async () => {
    const gone = join(work, "gone");
    // Takes the machine away, and waits for it as long as the real one does: for ever.
    const { container } = lab.host(AGENT).container;
    await writeFile(
      gone,
      `#!/bin/sh\ncase "$*" in *"--phases kexec"*) ;; *) exec ${here("install/nixos-anywhere")} "$@" ;; esac
echo "### Switching system into kexec ###"\ndocker kill ${container} > /dev/null\nexec sleep 600\n`,
      { mode: 0o755 },
    );
    const { code, said } = await convert(AGENT, "--nixos-anywhere", gone, "--phase-deadline", "20s");
    expect(said).toContain("[install-failed]");
    expect(said).toContain("a power cycle brings k3OS back");
    expect(code).toBe(3);
    await execa("docker", ["start", container]);
    await expect
      .poll(() => inNode(AGENT, "cat /run/k3s.pid").catch(() => ""), { timeout: 60_000 })
      .toMatch(/\d/);
    await inNode(AGENT, "echo later > /home/macula/later.txt");
    const again = await convert(AGENT, "--continue", "--nixos-anywhere", await brokenAt("kexec", "no"));
    expect(again.said).toContain("/home/macula/later.txt was not there since it was archived: copies again");
    expect(again.said).toMatch(/archive: \S+-2\.tar\.age /);
    expect((await convert(AGENT, "--undo")).code).toBe(0);
    expect(await state(`cat nodes/${AGENT}/cordoned`)).toBe("false");
  });

  it("converts an agent, with a break in the middle: the same node, under its password", async () => {
    const uid = await state(`cat nodes/${AGENT}/uid; : > calls`);
    const broken = await convert(
      AGENT,
      "--nixos-anywhere",
      await brokenAt("install", "No space left on device"),
    );
    expect(broken.said).toContain("k3OS is erased: it cannot be undone, only finished");
    expect(broken.code).toBe(3);
    const { code, said } = await convert(AGENT, "--continue");
    console.log(table(said));
    expect(code, said).toBe(0);
    expect(said).toMatch(/preserved (\d+)\/\1/);
    expect(said).toContain(`ready as ${AGENT}, uid ${uid}`);
    expect(await state("cat calls")).toBe(
      [
        `cordon ${AGENT}`,
        `drain ${AGENT} --ignore-daemonsets --delete-emptydir-data --force --timeout=300s`,
        `label node ${AGENT} macula.io/mode- macula.io/version- macula.io/upgrade-`,
        `uncordon ${AGENT}`,
      ].join("\n"),
    );
  });

  it("lets no member of etcd go while another is down", async () => {
    await lab.host(SECOND).exec("systemctl stop k3s");
    await state(`until [ $(($(date +%s) - $(cat nodes/${SECOND}/beat))) -gt 5 ]; do sleep 0.2; done`);
    await setHost(SERVER, { "k3s.packageMinor": "1.34" });
    const { code, said } = await convert(SERVER, "--plan");
    expect(said).toContain("k3s: REFUSED: 2 of 3 servers are ready");
    expect(code).toBe(5);
    await lab.host(SECOND).exec("systemctl start k3s");
    await setHost(SERVER, { "k3s.packageMinor": "1.36" });
    await state(`until [ $(($(date +%s) - $(cat nodes/${SECOND}/beat))) -lt 2 ]; do sleep 0.2; done`);
    expect((await convert(SERVER, "--plan")).said).toContain("1.34, 1.36: more than one apart");
    await setHost(SERVER, { "k3s.packageMinor": "1.35" });
  });

  it("takes a member back whose installer would not start", async () => {
    const { code, said } = await convert(SERVER, "--nixos-anywhere", await brokenAt("kexec", "kexec failed"));
    expect(said).toContain("its disk is untouched");
    expect(code).toBe(3);
    expect(await inNode(SERVER, "ls /var/lib/rancher/k3s/server/db/snapshots")).toContain("macula-fleet-");
    expect((await convert(SERVER, "--undo")).code).toBe(0);
    expect(await state(`cat nodes/${SERVER}/cordoned; ls members`)).toBe(
      `false\n${FIRST}\n${SECOND}\n${SERVER}`,
    );
  });

  it("converts a member: asked for quorum again before it is deleted, joined anew", async () => {
    const uid = await state(`cat nodes/${SERVER}/uid`);
    expect((await convert(SERVER, "--nixos-anywhere", await brokenAt("kexec", "kexec failed"))).code).toBe(3);
    await lab.host(SECOND).exec("systemctl stop k3s");
    await state(`until [ $(($(date +%s) - $(cat nodes/${SECOND}/beat))) -gt 5 ]; do sleep 0.2; done`);
    const held = await convert(SERVER, "--continue");
    expect(held.said).toContain(`may not leave its cluster now: without it 1 of 3 servers are ready`);
    expect(held.said).toContain(`not ready: ${SECOND}`);
    expect(held.code).toBe(3);
    expect(await state("ls members")).toContain(SERVER);
    expect(await lab.host(SERVER).exec("ls /mnt")).toBe("");
    await lab.host(SECOND).exec("systemctl start k3s");
    await state(`until [ $(($(date +%s) - $(cat nodes/${SECOND}/beat))) -lt 2 ]; do sleep 0.2; done`);
    const broken = await convert(
      SERVER,
      "--continue",
      "--nixos-anywhere",
      await brokenAt("install", "No space"),
    );
    expect(broken.code).toBe(3);
    expect(await state("ls members")).not.toContain(SERVER);
    const { code, said } = await convert(SERVER, "--continue");
    console.log(table(said));
    expect(code, said).toBe(0);
    expect(said).toMatch(/preserved (\d+)\/\1/);
    expect(await state(`ls members; cat nodes/${SERVER}/cordoned`)).toBe(
      `${FIRST}\n${SECOND}\n${SERVER}\nfalse`,
    );
    expect(await state(`cat nodes/${SERVER}/uid`)).not.toBe(uid);
  });

  it("retires nobody without whom etcd has no majority", async () => {
    await lab.host(SECOND).exec("systemctl stop k3s");
    await state(`until [ $(($(date +%s) - $(cat nodes/${SECOND}/beat))) -gt 5 ]; do sleep 0.2; done`);
    await setHost(FIRST, { role: "bootstrap", mesh: { publicAddress: "node-01.lab.invalid:443" } });
    const { code, said } = await run("retire", SERVER);
    expect(said).toContain(`${SERVER} may not leave its cluster now: without it 1 of 3 servers are ready`);
    expect(code).toBe(5);
    expect(await state(`cat nodes/${SERVER}/cordoned`)).toBe("false");
    await lab.host(SECOND).exec("systemctl start k3s");
  });

  it("retires an agent: drained, stopped, saved, forgotten for good; goes on where it stopped", async () => {
    await state(": > calls; touch budget");
    const first = await run("retire", AGENT, "--backup");
    expect(first.said).toContain("violate the pod's disruption budget");
    expect(first.code).toBe(1);
    expect(await readFile(inventory(), "utf8")).not.toContain("retired");
    await state("rm budget; : > calls");
    const { code, said } = await run("retire", AGENT, "--backup");
    expect(code, said).toBe(0);
    expect(await state("cat calls")).toBe(
      [
        `cordon ${AGENT}`,
        `drain ${AGENT} --ignore-daemonsets --delete-emptydir-data --force --timeout=300s`,
        `delete node ${AGENT} --ignore-not-found`,
        `delete secret ${AGENT}.node-password.k3s -n kube-system --ignore-not-found`,
      ].join("\n"),
    );
    expect(said).toMatch(/archive: \S+node-03-i-\S+\.tar\.age/);
    // Long enough for it to come back, were it still running.
    await state(`sleep 4; [ ! -e nodes/${AGENT} ] && [ ! -e passwords/${AGENT} ]`);
    expect((await run("status", "--limit", AGENT)).said).toContain("retired");
    expect((await run("retire", AGENT)).said).toContain("retired already");
  });
});
