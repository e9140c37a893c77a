/** Every command explains itself, quickly and with examples. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pMap from "p-map";
import { expect, it } from "vitest";
import { CATALOG } from "../../src/cli/catalog.ts";
import { run } from "../support/cli-process.ts";

it("--help of every command answers on stdout, with examples", async () => {
  const home = await mkdtemp(join(tmpdir(), "macula-help-"));
  const wrong: string[] = [];
  await pMap(
    CATALOG,
    async ({ path }) => {
      const ran = await run([...path.split(" "), "--help"], { env: { HOME: home }, cwd: home });
      const ok =
        ran.code === 0 &&
        ran.stderr === "" &&
        ran.stdout.includes(`macula-fleet ${path}`) &&
        new RegExp(`Examples?:\n {2}macula-fleet ${path}`).test(ran.stdout);
      if (!ok) wrong.push(`${path}: exit ${ran.code}\n${ran.stdout}${ran.stderr}`);
    },
    { concurrency: 2 },
  );
  await rm(home, { recursive: true, force: true });
  expect(wrong).toEqual([]);
});

it("without a command: every group and command, grouped, and where to start", async () => {
  const ran = await run(["--help"]);
  expect(ran.code).toBe(0);
  for (const { path, group } of CATALOG) {
    if (!path.includes(" ")) expect(ran.stdout).toContain(`${group}:`);
    expect(ran.stdout).toContain(`\n  ${path.split(" ")[0]} `);
  }
  const steering = (await run(["rollout", "--help"])).stdout;
  for (const { path, summary } of CATALOG.filter((c) => c.path.startsWith("rollout "))) {
    expect(steering).toMatch(new RegExp(`^ {2}${path.split(" ")[1]}\\b.* {2}${summary.slice(0, 12)}`, "m"));
  }
  expect(ran.stdout).toContain("Start here: macula-fleet demo");
  expect((await run(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+/);
});
