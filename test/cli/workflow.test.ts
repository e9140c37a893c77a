import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CATALOG } from "../../src/cli/catalog.ts";

interface Workflow {
  readonly jobs: Record<
    string,
    { readonly needs?: string; readonly steps: readonly { readonly run?: string }[] }
  >;
}

/** Given to every command (docs/commands.md). */
const EVERYWHERE = ["--inventory", "--limit", "--output", "-o", "-i", "-l", "--state", "--yes", "--timeout"];

describe("the ready workflow", async () => {
  const file = new URL("../../flake/ci/rollout.yml", import.meta.url);
  const { jobs } = parse(await readFile(file, "utf8")) as Workflow;
  const lines = Object.values(jobs)
    .flatMap((job) => job.steps.flatMap((step) => (step.run ?? "").split("\n")))
    .filter((line) => line.includes("macula-fleet "));

  it("checks, pushes, rolls out, and only then tells the hosts that pull", () => {
    expect(Object.entries(jobs).map(([name, { needs }]) => [name, needs])).toEqual([
      ["check", undefined],
      ["push", undefined],
      ["rollout", "push"],
      ["publish", "rollout"],
    ]);
    expect(lines).toHaveLength(4);
  });

  it.each(lines)("%s: a command there is, with options it has", async (line) => {
    const words = line.replace(/^.*macula-fleet /, "").split(/\s+/);
    const entry = CATALOG.toSorted((a, b) => b.path.length - a.path.length).find(({ path }) =>
      `${words.join(" ")} `.startsWith(`${path} `),
    );
    const { command } = (await entry?.load()) ?? {};
    const known = (command?.options ?? []).flatMap(([flags]) => flags.match(/--?[a-z-]+/g) ?? []);
    const used = words.filter((word) => word.startsWith("-"));
    expect([...known, ...EVERYWHERE]).toEqual(expect.arrayContaining(used));
  });
});
