/** Where an installation writes down the key it gave a machine, so that nobody is locked out of it. */
import { mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pinInto } from "../../src/cli/pinning.ts";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";

const OLD = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKAlUlD0ujtvA6V1Su4na3+3OR6oDm1VCTlgYHoNLTI1";
const NEW = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const TEXT = `apiVersion: macula.io/v1
kind: FleetInventory
fleet: { name: f, realm: io.macula.f, flake: ./flake, release: "26.05" }
bastions:
  gate: { address: 10.0.0.1, user: ops, hostKey: "${OLD} gate" } # the way in
  other: { address: 10.0.0.9, user: ops, hostKey: "${OLD}" }
hosts:
  node-01: { address: 10.0.0.1, identity: { hostKeys: ["${OLD} seen on its screen"] } } # by the door
  node-02: { address: 10.0.0.2, role: bootstrap, mesh: { publicAddress: "node-02.example.org:443" } }
  "node-1[0:2]": { address: 10.0.0.10+, identity: { hostKeys: ["${OLD}"] } }
`;

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-pins-"));
  file = join(dir, "inventory.yaml");
  await writeFile(file, TEXT, { mode: 0o640 });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const load = async () => requireValid(await loadInventory({ path: file, cwd: dir, env: {}, now: 0 }));
async function pin(name: string, publicKey: string): Promise<void> {
  const inventory = await load();
  const host = inventory.hosts.find((h) => h.name === name);
  if (!host) throw new Error(name);
  await pinInto(dir, inventory)(host, { publicKey });
}

it("replaces every pin of the old key, its own and as a bastion, and nothing else", async () => {
  await pin("node-01", NEW);
  const after = await load();
  expect(after.hosts[0]?.identity.hostKeys).toEqual([NEW]);
  expect(after.bastions.gate?.hostKey).toBe(NEW);
  expect(after.bastions.other?.hostKey).toBe(OLD);
  const text = await readFile(file, "utf8");
  for (const comment of ["# the way in", "# by the door"]) expect(text).toContain(comment);
  expect((await stat(file)).mode & 0o777).toBe(0o640);
  expect(await readFile(join(dir, ".ssh", "known_hosts"), "utf8")).toBe(`10.0.0.1 ${NEW}\n`);
});

it("leaves the file alone where the key is pinned already, and where none is", async () => {
  await pin("node-01", OLD);
  await pin("node-02", NEW);
  expect(await readFile(file, "utf8")).toBe(TEXT);
  expect(await readFile(join(dir, ".ssh", "known_hosts"), "utf8")).toBe(`10.0.0.1 ${OLD}\n10.0.0.2 ${NEW}\n`);
});

it("says what to write where it cannot", async () => {
  await expect(pin("node-11", NEW)).rejects.toMatchObject({
    code: "install-failed",
    message: expect.stringContaining("identity.hostKeys of node-11 still pins its old key"),
    hint: expect.stringContaining(`write ${NEW} there`),
  });
  expect(await readFile(file, "utf8")).toBe(TEXT);
});

it("writes through a link, side by side without losing one", async () => {
  const real = join(dir, "real.yaml");
  await writeFile(real, TEXT.replace("node-02: {", `node-02: { identity: { hostKeys: ["${OLD}"] },`));
  await rm(file);
  await symlink(real, file);
  const inventory = await load();
  const write = pinInto(dir, inventory);
  await Promise.all(inventory.hosts.slice(0, 2).map((h) => write(h, { publicKey: NEW })));
  expect((await load()).hosts.slice(0, 2).map((h) => h.identity.hostKeys)).toEqual([[NEW], [NEW]]);
  expect(await readFile(real, "utf8")).toBe(await readFile(file, "utf8"));
  expect((await stat(real)).ino).toBe((await stat(file)).ino);
});
