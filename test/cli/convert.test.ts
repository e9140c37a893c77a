/** Who may go on with a conversion or take it back, and with what: settled before the node is spoken to. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { aConversion, aK3osHost } from "../convert/support.ts";
import { cli } from "../support/cli.ts";

const NAME = "riga-peer-02";
/** Nobody listens there, and there is no key to log in with: both commands end where they would speak to it. */
const TEXT = `apiVersion: macula.io/v1
kind: FleetInventory
fleet: { name: f, realm: io.macula.f, flake: ./flake, release: "26.05" }
hosts:
  ${NAME}: { address: 127.0.0.1, port: 9, os: k3os, convert: true }
  riga-peer-01: { address: 127.0.0.2, role: bootstrap, mesh: { publicAddress: "riga.example.org:443" } }
`;
const HELP =
  "--phases --store-paths --build-on --ssh-port --post-kexec-ssh-port --extra-files --disk-encryption-keys --kexec";

let dir: string;
let store: Store;
const plan = aConversion({ host: aK3osHost({ address: "127.0.0.1", port: 9 }) });
const run = `run:${plan.id}`;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-cli-convert-"));
  await writeFile(join(dir, "inventory.yaml"), TEXT);
  for (const [file, help] of [
    ["good", HELP],
    ["old", "--flake"],
  ]) {
    await writeFile(join(dir, file ?? ""), `#!/bin/sh\necho "${help}"\n`);
    await chmod(join(dir, file ?? ""), 0o755);
  }
  store = await openStore(join(dir, "state.db"), { env: {} });
  const record = { id: plan.id, kind: "install", revision: "r1", state: "planned", operator: "ann" } as const;
  await store.create({ ...record, createdAt: 0, hosts: 1 });
  await store.append(plan.id, 0, [{ type: "plan", level: "info", msg: "", data: { plan } }], { now: 0 });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const convert = (...options: readonly string[]) =>
  cli(["convert", NAME, "--state", join(dir, "state.db"), "--yes", ...options], {
    cwd: dir,
    env: { HOME: dir, PATH: process.env.PATH },
  });
const drivenBy = (pid: number) => store.lease(run, `ann@${hostname()}:${pid}`, 15_000, Date.now());
/** Linux gives none above. */
const NO_SUCH_PID = 2 ** 22 + 1;
const program = (name: string) => ["--nixos-anywhere", join(dir, name)];

it.each([[["--undo"]], [["--continue", "--nixos-anywhere", "good"]]])(
  "%j does nothing beside a controller that lives",
  async (words) => {
    await drivenBy(process.pid);
    const { exit, stderr } = await convert(...words);
    expect(stderr).toContain(`${plan.id} is driven by ann@${hostname()}:${process.pid}, and it is alive`);
    expect(exit).toBe(6);
    expect(await store.events(plan.id)).toHaveLength(1);
  },
);

it("--undo waits for no dead controller, and holds the run while it speaks to the node", async () => {
  const before = await drivenBy(NO_SUCH_PID);
  const { exit, stderr } = await convert("--undo");
  expect(stderr).toContain("no SSH key to log in with");
  expect(exit).toBe(64);
  expect(await store.holder(run, Date.now())).toBeNull();
  // Fences count what was granted: one lease in between, given back.
  expect((await drivenBy(process.pid))?.fence).toBe((before?.fence ?? 0) + 2);
});

it("--continue waits for no dead controller", async () => {
  await drivenBy(NO_SUCH_PID);
  const { exit, stdout, stderr } = await convert("--continue", ...program("good"));
  expect(stdout + stderr).toContain("nothing was changed; macula-fleet convert");
  expect(stderr).not.toContain("driven by");
  expect(exit).toBe(3);
});

it("--continue stops nothing when what installs at the end is too old", async () => {
  const { exit, stderr } = await convert("--continue", ...program("old"));
  expect(stderr).toContain("too old: it knows no --phases");
  expect(exit).toBe(1);
  expect(await store.events(plan.id)).toHaveLength(1);
});

it("--undo needs nothing that installs", async () => {
  const { stderr } = await convert("--undo", ...program("missing"));
  expect(stderr).toContain("no SSH key to log in with");
});
