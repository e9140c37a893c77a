/** `macula-fleet retire` as its users meet it, against a lab of simulated machines. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FleetLab, startLab } from "./support/lab.ts";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({ hosts: 5, sites: 1 });
  const text = await readFile(lab.inventory, "utf8");
  await writeFile(lab.inventory, text.replace("  node-02:\n", "  # in the cellar\n  node-02:\n"));
});
afterAll(() => lab?.down());
const retire = (...args: string[]) => lab.fleet("retire", ...args);
const power = async (name: string) => (await lab.hosts()).find((h) => h.name === name);

it("shows what would be done and whose systems change, and does nothing", async () => {
  const before = await readFile(lab.inventory, "utf8");
  const { code, stdout } = await retire("node-04", "--wipe", "--check");
  expect(stdout).toContain("changes  node-01, node-02, node-03, node-05 with the next rollout");
  expect(stdout).toContain("disk: /dev/disk/by-id/virtio-LABNODE04 LAB DISK LABNODE04");
  expect(stdout).toMatch(/plan hash: [0-9a-f]{64}/);
  expect(code).toBe(0);
  expect(await readFile(lab.inventory, "utf8")).toBe(before);
  expect(await power("node-04")).toMatchObject({ power: "on" });
});

it("asks nobody where nobody is, and does nothing under another plan's hash", async () => {
  expect((await retire("node-02")).code).toBe(64);
  const wipe = await retire("node-02", "--wipe");
  expect(wipe.code).toBe(64);
  expect(wipe.stderr).toMatch(/macula-fleet retire node-02 --wipe --yes --plan-hash [0-9a-f]{64}/);
  const stale = await retire("node-02", "--wipe", "--yes", "--plan-hash", "0000");
  expect(stale.code).toBe(1);
  expect(stale.stderr).toContain("not what it was");
  expect((await retire("node-02", "--gone", "--wipe", "--yes")).code).toBe(64);
  expect(await readFile(lab.inventory, "utf8")).not.toContain("retired");
});

it("refuses to erase another disk than the inventory's", async () => {
  const text = await readFile(lab.inventory, "utf8");
  await writeFile(lab.inventory, text.replace("  node-02:\n", "  node-02:\n    disk: { serial: ANOTHER }\n"));
  const { code, stdout } = await retire("node-02", "--wipe", "--yes");
  expect(stdout).toContain("no disk has the serial ANOTHER the inventory states");
  expect(code).toBe(1);
  await writeFile(lab.inventory, text);
});

it("wipes: interrupted before the disk it goes on there; then the machine is blank, off, and left alone", async () => {
  const broken = join(lab.dir, "broken");
  const none = await retire("node-02", "--wipe", "--yes", "--nixos-anywhere", "/bin/false");
  expect(none.stderr).toContain("/bin/false does not run");
  expect(await readFile(lab.inventory, "utf8")).not.toContain("retired");
  // Names the options it is asked for, and starts no installer.
  const options =
    "--store-paths --build-on --ssh-port --post-kexec-ssh-port --extra-files --disk-encryption-keys --kexec";
  await writeFile(broken, `#!/bin/sh\n[ "$1" = --help ] || exit 1\necho "--phases ${options}"\n`, {
    mode: 0o755,
  });
  const first = await retire("node-02", "--wipe", "--yes", "--nixos-anywhere", broken);
  expect(first.stderr).toContain("macula-fleet retire node-02 --wipe");
  expect(first.code).toBe(1);
  expect(await power("node-02")).toMatchObject({ power: "on" });
  // It is out of every rollout already, whatever becomes of its disk.
  expect((await lab.fleet("plan")).stdout).toContain("skipped  node-02  state is retired");
  const wrong = await lab.fleet("install", "--continue", "--yes");
  expect(wrong.stderr).toContain("erases node-02, it installs nothing");

  const second = await retire("node-02", "--wipe", "--yes");
  expect(second.stderr).toContain("inventory: done already");
  expect(second.stderr).toContain("wiped: its disk reads back empty");
  expect(second.code).toBe(0);
  await expect.poll(() => power("node-02"), { timeout: 20_000 }).toMatchObject({ power: "off", current: "" });
  const text = await readFile(lab.inventory, "utf8");
  expect(text).toMatch(/ {2}# in the cellar\n {2}node-02:\n(?: {4}.*\n)* {4}state: retired\n/);
  const status = JSON.parse((await lab.fleet("status", "-o", "json")).stdout);
  const row = (status.hosts ?? status).find((h: { host: string }) => h.host === "node-02");
  expect(row).toMatchObject({ reach: "unasked", notes: ["retired"] });
  expect((await retire("node-02", "--wipe", "--yes")).stderr).toContain("retired already");
});

it("tells only the inventory of a machine that is gone; refuses the last bootstrap", async () => {
  await lab.fault("node-04", "unreachable");
  const { code, stderr } = await retire("node-04", "--gone", "--yes");
  expect(code).toBe(0);
  expect(stderr).toContain("left to do: macula-fleet rollout   # 3 hosts stop naming node-04");
  const last = await retire("node-05", "--yes");
  expect(last.stdout).toContain("node-05 is the last bootstrap");
  expect(last.code).toBe(1);
});

it("begins again for a host that was brought back", async () => {
  const text = await readFile(lab.inventory, "utf8");
  await writeFile(lab.inventory, text.replaceAll("    state: retired\n", ""));
  expect((await retire("node-04", "--check", "--gone")).stdout).not.toContain("(done)");
});
