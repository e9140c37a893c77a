/**
 * Installations on real sshd hosts (containers): with the real nixos-anywhere where MACULA_NIXOS_ANYWHERE names it,
 * otherwise with the stand-in beside this file. The kexec tarball is a stand-in either way (see install/kexec-run.sh).
 */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseDocument } from "yaml";
import { dockerLabPowerCycle } from "../../src/lab/docker/control.ts";
import { labLayout } from "../../src/lab/layout.ts";
import { type LabFixture, onContainers, signal, startLabFixture } from "./fixture.ts";

const here = (name: string) => fileURLToPath(new URL(`./install/${name}`, import.meta.url));
const CLI = fileURLToPath(new URL("../../bin/macula-fleet.js", import.meta.url));
const REAL = process.env.MACULA_NIXOS_ANYWHERE;
const SECRET = "hunter2-never-to-be-seen";
const HOSTS = 8;
const NAMES = Array.from({ length: HOSTS }, (_, i) => `node-0${i + 1}`);

onContainers(`install with ${REAL ? "the real nixos-anywhere" : "the stand-in for nixos-anywhere"}`, () => {
  let lab: LabFixture;
  let work: string;
  const inventory = () => labLayout(lab.dir).inventory;
  const run = async (...args: readonly string[]) => {
    const result = await execa(process.execPath, [CLI, ...args, "-i", inventory(), "--yes"], {
      env: { FAIL_DIR: work, NIXOS_ANYWHERE: REAL ?? here("nixos-anywhere"), LAB_SECRET: SECRET },
      reject: false,
      all: true,
      stdin: "ignore",
    });
    return { code: result.exitCode, said: result.all };
  };
  const install = (...args: readonly string[]) =>
    run("install", "--nixos-anywhere", here("fail-once.sh"), "--kexec", join(work, "kexec.tar.gz"), ...args);
  const order = async () => (await readFile(join(work, "order"), "utf8")).trim().split("\n");

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "mf-install-"));
    await mkdir(join(work, "kexec"));
    await copyFile(here("kexec-run.sh"), join(work, "kexec", "run"));
    await execa("tar", ["-C", work, "-czf", join(work, "kexec.tar.gz"), "kexec"]);
    lab = await startLabFixture(HOSTS);
    const blank = await readFile(here("as-debian.sh"), "utf8");
    for (const name of NAMES) {
      await lab.host(name).exec(blank);
      await dockerLabPowerCycle(lab.dir, name, { signal });
      await lab.host(name).ready();
    }
    const text = parseDocument(await readFile(inventory(), "utf8"));
    text.setIn(
      ["defaults", "files"],
      [
        { path: "/etc/lab-secret", ref: "env:LAB_SECRET" },
        {
          path: "/var/lib/macula-fleet/secrets/other",
          ref: `cmd:printf %s ${SECRET.split("").reverse().join("")} | rev`,
        },
      ],
    );
    await writeFile(inventory(), text.toString());
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    await rm(work, { recursive: true, force: true });
  });

  it("says what runs there, and refuses what nixos-anywhere would stumble over", async () => {
    const { code, said } = await run("install", "--check");
    expect(said).toContain("runs debian 13");
    expect(said).toContain("a lab's container");
    expect(said).toContain("refused node-03 becomes root with doas only");
    expect(code).toBe(3);
    const text = parseDocument(await readFile(inventory(), "utf8"));
    for (const name of ["node-03", "node-07"]) text.setIn(["hosts", name, "user"], "root");
    await writeFile(inventory(), text.toString());
    expect((await run("install", "--check")).code).toBe(0);
  });

  it("installs eight side by side; each forced failure stays one machine's", async () => {
    for (const [host, phase, when] of [
      ["node-05", "kexec", "before"],
      ["node-06", "disko", "after"],
      ["node-07", "install", "before"],
      ["node-08", "reboot", "after"],
    ] as const)
      await writeFile(join(work, `${host}-${phase}`), when);
    const { code, said } = await install("--phase-deadline", "4m");
    expect(said).toMatch(/installed\s+4 {2}node-01, node-02, node-03, node-04/);
    expect(code).toBe(3);
    expect(said).toContain("forced failure before kexec");
    expect(said).toContain("the machine stopped answering");
  });

  it("goes on where each one stopped", async () => {
    const before = (await order()).length;
    const { code, said } = await install("--continue", "--phase-deadline", "4m");
    expect(said).toMatch(/installed\s+8/);
    expect(code).toBe(0);
    const again = (await order()).slice(before);
    const phasesOf = (host: string) =>
      again.filter((l) => l.startsWith(`${host} `)).map((l) => l.split(" ")[1]);
    expect(phasesOf("node-01")).toEqual([]);
    expect(phasesOf("node-05")).toEqual(["kexec", "disko", "install", "reboot"]);
    expect(phasesOf("node-06")).toEqual(["disko", "install", "reboot"]);
    expect(phasesOf("node-07")).toEqual(["disko", "install", "reboot"]);
    expect(phasesOf("node-08")).toEqual([]);
  });

  it("leaves every machine with its system, its key and its secrets", async () => {
    const known = await readFile(labLayout(lab.dir).knownHosts, "utf8");
    for (const name of NAMES) {
      const host = lab.host(name);
      expect(await host.exec("readlink /run/current-system")).toContain(`nixos-system-${name}-26.05.lab-r2`);
      expect(
        await host.exec("stat -c '%a %U' /mnt/etc/lab-secret /mnt/etc /mnt/var/lib/macula-fleet/secrets"),
      ).toBe("400 root\n755 root\n711 root");
      expect(await host.exec("cat /mnt/etc/lab-secret")).toBe(SECRET);
      const key = (await host.exec("cat /mnt/etc/ssh/ssh_host_ed25519_key.pub")).trim();
      expect(known).toContain(`${host.host.address} ${key}`);
      expect(await host.exec("stat -c %a /mnt/etc/ssh/ssh_host_ed25519_key")).toBe("600");
    }
    expect((await run("status")).code).toBe(0);
  });

  it("tells nobody a secret: not arguments, logs, journal, store or the hosts' journals", async () => {
    const state = labLayout(lab.dir).state;
    const files = (await readdir(state, { recursive: true, withFileTypes: true })).filter((e) => e.isFile());
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      const content = await readFile(join(file.parentPath, file.name), "latin1");
      expect(content.includes(SECRET), file.name).toBe(false);
      expect(content.includes("PRIVATE KEY"), file.name).toBe(false);
    }
    // Set for the program by its user: its environment may hold it, its arguments may not.
    const seen = (await readFile(join(work, "seen"), "utf8"))
      .split("\n")
      .filter((l) => !l.startsWith("LAB_SECRET="));
    expect(seen.filter((l) => l.includes(SECRET))).toEqual([]);
    for (const name of NAMES.slice(0, 2))
      expect(await lab.host(name).exec(`journalctl --no-pager | grep -c ${SECRET} || true`)).toBe("0");
    expect(await readdir(join(state, "work"))).toEqual([]);
  });
});
