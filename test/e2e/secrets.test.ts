/** Secrets of a fleet after its installation, as an operator meets them, against a lab of simulated machines. */
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FleetLab, QUICK, startLab } from "./support/lab.ts";

const FIRST = "first-value-of-the-token";
const SECOND = "second-value-of-the-token";

let lab: FleetLab;
beforeAll(async () => {
  lab = await startLab({ hosts: 2, rollout: QUICK });
  const text = await readFile(lab.inventory, "utf8");
  const file = "    files: [{ path: /etc/app/token, ref: 'env:APP_TOKEN', mode: '0400' }]\n";
  await writeFile(lab.inventory, text.replace("  node-02:\n", `  node-02:\n${file}`));
});
afterAll(() => lab?.down());
const fleet = (token: string | undefined, ...args: string[]) =>
  lab.begin(args, { env: token === undefined ? {} : { APP_TOKEN: token } }).done;

it("begins no rollout whose secrets cannot be read, and leaves no trace of it", async () => {
  await lab.release("r2");
  const { code, stderr } = await fleet(undefined, "rollout", "--yes");
  expect(stderr).toContain("nothing was begun");
  expect(stderr).toMatch(/env:APP_TOKEN cannot be had.*\(node-02\)/);
  expect(code).toBe(1);
  const history = await lab.must("rollout", "history", "-o", "json");
  expect(JSON.parse(history.stdout)).toEqual([]);
});

it("delivers them with the rollout, and shows them nowhere", async () => {
  const ran = await fleet(FIRST, "rollout", "--yes", "-o", "ndjson");
  expect(ran.code).toBe(0);
  expect(ran.stdout + ran.stderr).not.toContain(FIRST);
  const same = await fleet(FIRST, "secrets", "push", "--yes");
  expect(same.stdout).toMatch(/node-01: wants no secrets\nnode-02: 1 secret, all as they were\n/);
});

it("brings a changed one to hosts that need no new system", async () => {
  expect((await fleet(SECOND, "secrets", "push")).code).toBe(64);
  const ran = await fleet(SECOND, "secrets", "push", "--yes", "-o", "json");
  expect(JSON.parse(ran.stdout)).toEqual([
    { host: "node-01", secrets: 0, changed: [] },
    { host: "node-02", secrets: 1, changed: ["/etc/app/token"] },
  ]);
  expect(ran.stdout + ran.stderr).not.toContain(SECOND);
  const without = await fleet(undefined, "secrets", "push", "node-02", "--yes");
  expect(without.code).toBe(3);
  expect(without.stderr).toContain("secret-unavailable");
});

it("needs none of them to go back", async () => {
  const back = await fleet(undefined, "rollback", "node-02", "--yes");
  expect(back.stderr).not.toContain("APP_TOKEN");
  expect(back.code).toBe(0);
});
