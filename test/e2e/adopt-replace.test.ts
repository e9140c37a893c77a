/** `macula-fleet adopt` and `replace` as their users meet them, against a blank lab of simulated machines. */
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseDocument } from "yaml";
import { type FleetLab, startLab } from "./support/lab.ts";

let lab: FleetLab;
let port: number;
const inventory = async () => parseDocument(await readFile(lab.inventory, "utf8"));
beforeAll(async () => {
  lab = await startLab({ hosts: 3, sites: 1, blank: true });
  const doc = await inventory();
  port = doc.getIn(["hosts", "node-02", "port"]) as number;
  doc.deleteIn(["hosts", "node-02"]);
  await writeFile(lab.inventory, doc.toString());
});
afterAll(() => lab?.down());
const adopt = (...args: string[]) => lab.fleet("adopt", `127.0.0.1:${port}`, "--accept-new", ...args);

it("adopts a machine: looks, prints, writes only when told, once; then it is installed", async () => {
  const before = await readFile(lab.inventory, "utf8");
  const seen = await adopt("--as", "cellar");
  expect(seen.stderr).toContain("with 1 disk, runs nixos installer");
  expect(seen.stdout).toContain("serial: LABNODE02");
  expect(await readFile(lab.inventory, "utf8")).toBe(before);
  expect((await adopt("--as", "Cellar")).code).toBe(64);
  expect((await adopt("--as", "node-01")).stderr).toContain("the inventory has a host node-01 already");
  const written = await adopt("--as", "cellar", "--role", "gateway", "--site", "gent", "--write");
  expect(written.stderr).toContain("next: macula-fleet install --limit cellar --check");
  expect((await inventory()).getIn(["hosts", "cellar", "role"])).toBe("gateway");
  expect((await adopt("--as", "attic")).stderr).toContain(`127.0.0.1 is cellar in the inventory`);
  const installed = await lab.fleet("install", "--limit", "cellar", "--yes");
  expect(installed.code, installed.stderr).toBe(0);
});

it("replaces nothing, and leaves the inventory as it was, when the new machine has not that disk", async () => {
  const before = await readFile(lab.inventory, "utf8");
  for (const args of [
    ["--disk", "/dev/disk/by-id/virtio-OTHER"],
    ["--serial", "S2"],
  ]) {
    const disk = args[0] === "--disk" ? args : ["--disk", "/dev/disk/by-id/virtio-LABNODE02", ...args];
    const refused = await lab.fleet("replace", "cellar", ...disk, "--yes", "--accept-new");
    expect(refused.code).toBe(3);
    expect(refused.stdout).toMatch(/refused cellar/);
    expect(await readFile(lab.inventory, "utf8")).toBe(before);
  }
  const unconfirmed = await lab.fleet("replace", "cellar", "--disk", "/dev/disk/by-id/virtio-LABNODE02");
  expect(unconfirmed.code).toBe(64);
  expect(await readFile(lab.inventory, "utf8")).toBe(before);
});

it("replaces hardware under the same key, and knows the new card by its address from then on", async () => {
  const doc = await inventory();
  const now = doc.getIn(["hosts", "cellar", "identity", "mac"]);
  doc.setIn(["hosts", "cellar", "identity", "mac"], "02:00:00:00:00:01");
  doc.setIn(["hosts", "cellar", "identity", "serial"], "OLD-BOX");
  await writeFile(lab.inventory, doc.toString());
  const again = () => lab.fleet("install", "--limit", "cellar", "--reinstall", "--check");
  expect((await again()).stdout).toContain("is not the machine the inventory knows");
  const disk = ["--disk", "/dev/disk/by-id/virtio-LABNODE02", "--serial", "LABNODE02"];
  const replaced = await lab.fleet("replace", "cellar", ...disk, "--accept-new", "--yes");
  expect(replaced.stderr).toContain("keeps its ssh identity");
  expect(replaced.code, replaced.stderr).toBe(0);
  const after = await inventory();
  expect(after.getIn(["hosts", "cellar", "identity", "mac"])).toBe(now);
  expect(after.hasIn(["hosts", "cellar", "identity", "serial"])).toBe(false);
  expect(after.getIn(["hosts", "cellar", "disk", "serial"])).toBe("LABNODE02");
  expect((await again()).stdout).toContain("ERASES");
  // Strictly under the key it had before.
  expect((await lab.fleet("exec", "--limit", "cellar", "--", "hostname")).code).toBe(0);
});

it("refuses a replacement that would come back as a stranger", async () => {
  const stranger = await lab.fleet("replace", "node-03", "--check");
  expect(stranger.stderr).toContain("no identity of node-03 is kept here");
  expect(stranger.stderr).toContain("--new-identity");
  expect(stranger.code).toBe(1);
});
