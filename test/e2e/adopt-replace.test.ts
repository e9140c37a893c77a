/** `macula-fleet adopt` and `replace` as their users meet them, against a blank lab of simulated machines. */
import { readFile, stat, writeFile } from "node:fs/promises";
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
  const written = (await stat(lab.inventory, { bigint: true })).ctimeNs;
  for (const args of [
    ["--disk", "/dev/disk/by-id/virtio-OTHER"],
    ["--serial", "S2"],
  ]) {
    const disk = args[0] === "--disk" ? args : ["--disk", "/dev/disk/by-id/virtio-LABNODE02", ...args];
    const refused = await lab.fleet("replace", "cellar", ...disk, "--yes", "--accept-new", "--same-machine");
    expect(refused.code).toBe(3);
    expect(refused.stdout).toMatch(/refused cellar/);
    expect(await readFile(lab.inventory, "utf8")).toBe(before);
  }
  const disk = ["--disk", "/dev/disk/by-id/virtio-LABNODE02", "--same-machine"];
  const unconfirmed = await lab.fleet("replace", "cellar", ...disk);
  expect(unconfirmed.code).toBe(64);
  expect(await readFile(lab.inventory, "utf8")).toBe(before);
  // Not even written and put back: somebody may be editing it, and this may be killed.
  expect((await stat(lab.inventory, { bigint: true })).ctimeNs).toBe(written);
});

it("replaces no machine that works under this name, unless it is told so", async () => {
  const alive = await lab.fleet("replace", "cellar", "--check", "--accept-new");
  expect(alive.stderr).toContain("has the host key of cellar, and runs nixos 26.05");
  expect(alive.stderr).toContain("it is cellar itself, not new hardware");
  expect(alive.stderr).toContain("install --limit cellar --reinstall");
  expect(alive.code).toBe(1);
  const told = await lab.fleet("replace", "cellar", "--check", "--accept-new", "--same-machine");
  expect(told.stdout).toContain("ERASES");
  expect(told.code).toBe(0);
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
  const replaced = await lab.fleet("replace", "cellar", ...disk, "--accept-new", "--yes", "--same-machine");
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

it("pins what an installation proves in place of the key it was adopted with, and says so before", async () => {
  const doc = await inventory();
  doc.deleteIn(["hosts", "cellar"]);
  await writeFile(lab.inventory, doc.toString());
  const adopted = await adopt("--as", "attic", "--write");
  expect(adopted.code, adopted.stderr).toBe(0);
  const pinned = async () =>
    ((await inventory()).toJSON().hosts.attic.identity as { hostKeys: string[] }).hostKeys;
  const old = await pinned();
  expect(old).toEqual([expect.stringMatching(/^ssh-ed25519 /)]);
  const text = (await readFile(lab.inventory, "utf8")).replace("  attic:\n", "  attic: # under the roof\n");
  await writeFile(lab.inventory, text);
  const says = `identity.hostKeys of attic in ${lab.inventory} will be the key that its installation gives it`;
  const install = (...args: string[]) => lab.fleet("install", "--limit", "attic", "--reinstall", ...args);
  expect((await install("--check")).stderr).toContain(says);
  expect(await pinned()).toEqual(old);

  const installed = await install("--yes");
  expect(installed.stderr).toContain(says);
  expect(installed.code, installed.stderr).toBe(0);
  const now = await pinned();
  expect(now).toHaveLength(1);
  expect(now).not.toEqual(old);
  expect(await readFile(lab.inventory, "utf8")).toContain("# under the roof");
  expect((await lab.fleet("exec", "--limit", "attic", "--", "hostname")).code).toBe(0);
  // It comes under the same key each time from now on.
  const again = await install("--check");
  expect(again.stdout).toContain("ERASES");
  expect(again.stderr).not.toContain("identity.hostKeys");
});

it("erases nothing where the pin of the old key cannot be replaced", async () => {
  const doc = await inventory();
  const identity = doc.getIn(["hosts", "attic", "identity"], true);
  doc.setIn(["hosts", "node-01", "identity"], identity);
  doc.setIn(["hosts", "attic", "identity"], doc.createAlias(identity as never, "known"));
  doc.setIn(["hosts", "renamed"], doc.getIn(["hosts", "attic"], true));
  doc.deleteIn(["hosts", "attic"]);
  await writeFile(lab.inventory, doc.toString());
  const refused = await lab.fleet("install", "--limit", "renamed", "--reinstall", "--yes");
  expect(refused.stderr).toContain("identity.hostKeys of renamed pins a key that its installation replaces");
  expect(refused.stderr).toContain("is an alias of something else");
  expect(refused.code).toBe(1);
  expect((await lab.fleet("exec", "--limit", "renamed", "--", "hostname")).code).toBe(0);
});
