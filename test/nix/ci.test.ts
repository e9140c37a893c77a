/** `ci build` and `ci push` with real systems of the lab's flake, built by this machine's Nix without a network. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { releaseFile } from "../../src/lab/docker/flake-release.ts";
import { commitRelease, createLabFlake, LAB_NIX_CONFIG } from "../../src/lab/docker/lab-flake.ts";
import { signedCache } from "../../src/nix/cache-url.ts";
import { changedHosts } from "../../src/operate/changed.ts";
import { cli } from "../support/cli.ts";

const { signal } = new AbortController();
const withNix =
  (await execa("nix", ["--version"], { reject: false })).exitCode === 0 && existsSync("/bin/busybox");
const NAMES = ["node-01", "node-02", "node-03"];

interface Summary {
  readonly revision: string;
  readonly changed: { host: string; toplevel: string; before: string | null }[];
  readonly unchanged: string[];
  readonly systems: { toplevel: string; hosts: string[]; version: string; sizeBytes: number }[];
  readonly pushed?: string[];
}

describe.skipIf(!withNix)("a pipeline (needs Nix and busybox-static)", () => {
  let root = "";
  let repository = "";
  const before = process.env.NIX_CONFIG;
  const env = () => ({ XDG_STATE_HOME: join(root, "state") });
  const run = (...args: string[]) => cli(["ci", ...args], { cwd: repository, env: env() });
  const json = async (...args: string[]): Promise<Summary> => {
    const ran = await run(...args, "-o", "json");
    expect(ran).toMatchObject({ exit: 0, stderr: "" });
    return JSON.parse(ran.stdout);
  };
  /** The inventory lies in the flake's repository, as a fleet's does. */
  const inventory = (names: readonly string[], pull: readonly string[] = []) =>
    writeFile(
      join(repository, "inventory.yaml"),
      stringify({
        apiVersion: "macula.io/v1",
        kind: "FleetInventory",
        fleet: { name: "pipeline", realm: "io.macula.pipeline", flake: "." },
        hosts: Object.fromEntries(
          names.map((name, i) => [
            name,
            {
              address: `192.0.2.${i + 1}`,
              role: i === 0 ? "bootstrap" : "peer",
              ...(pull.includes(name) ? { connect: "pull" } : {}),
            },
          ]),
        ),
      }),
    );

  beforeAll(async () => {
    // What a runner of a pipeline has in its nix.conf.
    process.env.NIX_CONFIG = LAB_NIX_CONFIG;
    root = await mkdtemp(join(tmpdir(), "macula-ci-"));
    repository = join(root, "fleet");
    await createLabFlake(
      repository,
      NAMES.map((name) => ({ name, arch: "x86_64-linux" })),
      signal,
    );
    await inventory(["node-01", "node-02"]);
    await commitRelease(repository, releaseFile("r1", "good"), signal);
    // A release in which node-01 alone becomes another system, and node-03 joins.
    const changes = { name: "r1", fault: {}, hosts: { "node-01": { fault: { unitFails: true } } } };
    await inventory(NAMES, ["node-03"]);
    await commitRelease(repository, changes, signal);
    await execa("git", ["-C", repository, "tag", "two", "HEAD"]);
    await execa("git", ["-C", repository, "tag", "--force", "one", "HEAD~1"]);
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.NIX_CONFIG;
    else process.env.NIX_CONFIG = before;
    await rm(root, { recursive: true, force: true });
  });

  it("builds everything when there is nothing to compare with", async () => {
    const summary = await json("build");
    expect(summary.changed.map((c) => c.host)).toEqual(NAMES);
    expect(summary.unchanged).toEqual([]);
    for (const { toplevel, sizeBytes } of summary.systems) {
      expect(existsSync(toplevel)).toBe(true);
      expect(sizeBytes).toBeGreaterThan(1_000_000);
    }
  });

  it("builds what a commit changes: other systems and new hosts, with the inventory of that time", async () => {
    const summary = await json("build", "--since", "one");
    expect(summary.unchanged).toEqual(["node-02"]);
    expect(summary.changed.map((c) => [c.host, c.before !== null])).toEqual([
      ["node-01", true],
      ["node-03", false],
    ]);
    expect((await json("build", "--since", "two")).changed).toEqual([]);
    expect((await run("build", "--since", "one", "--detailed-exitcode")).exit).toBe(2);
    expect((await run("build", "--since", "two", "--detailed-exitcode")).exit).toBe(0);
    expect((await json("build", "--since", "one", "--limit", "node-02")).changed).toEqual([]);
  });

  it("pushes each system once, signed, and the next run knows", async () => {
    const [key, cache, known, targets] = ["key", "cache", "known.json", "targets"].map((n) => join(root, n));
    const pub = join(root, "key.pub");
    await execa("nix-store", ["--generate-binary-cache-key", "fleet-1", key ?? "", pub]);
    const args = ["--cache", `file://${cache}`, "--key", key ?? "", "--known", known ?? ""];
    const first = await json("push", "--to", "one", "--limit", "node-01,node-02", ...args);
    expect(first.pushed).toHaveLength(2);
    const second = await json("push", ...args, "--targets", targets ?? "");
    expect(second.changed.map((c) => c.host)).toEqual(["node-01", "node-03"]);
    expect(second.pushed).toEqual(second.systems.map((s) => s.toplevel));
    expect((await json("push", ...args)).pushed).toEqual([]);

    // A host that trusts only this key takes what was pushed.
    const [toplevel = ""] = second.pushed ?? [];
    const publicKey = (await readFile(pub, "utf8")).trim();
    const other = join(root, "other-store");
    const copy = (trusted: string) =>
      execa(
        "nix",
        [
          "copy",
          "--from",
          `file://${cache}`,
          "--to",
          `local?root=${other}`,
          "--option",
          "trusted-public-keys",
          trusted,
          toplevel,
        ],
        { reject: false },
      );
    expect((await copy("fleet-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")).stderr).toContain(
      "signature",
    );
    expect((await copy(publicKey)).exitCode).toBe(0);
    await execa("chmod", ["-R", "u+w", other]);

    expect(await readdir(targets ?? "")).toEqual(["node-03"]);
    const node03 = second.changed.find((c) => c.host === "node-03")?.toplevel;
    expect(await readFile(join(targets ?? "", "node-03"), "utf8")).toBe(`${node03}\n`);
    expect(Object.keys(JSON.parse(await readFile(known ?? "", "utf8")).systems)).toEqual(NAMES);
  });

  it("says before building what would not work", async () => {
    const key = ["--cache", "file:///nowhere"];
    expect((await run("push")).stderr).toContain("--cache");
    const unsigned = await run("push", ...key);
    expect([unsigned.exit, unsigned.stderr]).toEqual([64, expect.stringContaining("--key FILE")]);
    expect((await run("build", "--since", "one", "--known", "x.json")).exit).toBe(64);
    expect((await run("build", "--since", "nine")).stderr).toContain("no revision nine");
    await mkdir(join(root, "bad"), { recursive: true });
    await writeFile(join(root, "bad", "known.json"), "[]");
    expect((await run("build", "--known", join(root, "bad", "known.json"))).exit).toBe(64);
  });

  it("leaves the known systems alone when a system cannot be built, and names the host", async () => {
    const known = join(root, "kept.json");
    await commitRelease(repository, releaseFile("r3", "no-build", ["node-02"]), signal);
    const ran = await run(
      "push",
      "--cache",
      `file://${join(root, "c2")}`,
      "--key",
      join(root, "key"),
      "--known",
      known,
    );
    expect(ran.exit).toBe(1);
    expect(ran.stderr).toContain("node-02");
    expect(existsSync(known)).toBe(false);
  });
});

describe("what changed", () => {
  const systems = fc
    .dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom("/nix/store/1", "/nix/store/2"))
    .map((all) => new Map(Object.entries(all)));

  it("is every host whose system is another one, and every such system once", () => {
    fc.assert(
      fc.property(systems, fc.option(systems), (now, before) => {
        const found = changedHosts(now, before);
        const changed = [...now].filter(([host, top]) => before?.get(host) !== top).map(([host]) => host);
        expect(found.changed.map((c) => c.host)).toEqual(changed);
        expect([...found.unchanged, ...changed].sort()).toEqual([...now.keys()].sort());
        expect(found.systems.flatMap((s) => s.hosts).sort()).toEqual([...changed].sort());
        expect(new Set(found.systems.map((s) => s.toplevel)).size).toBe(found.systems.length);
      }),
    );
  });
});

describe("a cache's URL", () => {
  it.each([
    ["s3://c?region=eu", "k", "s3://c?region=eu&secret-key=k"],
    ["file:///c", "/a b&c", "file:///c?secret-key=/a%20b%26c"],
    ["s3://c?secret-key=old&x=1", "new", "s3://c?x=1&secret-key=new"],
    ["s3://c?secret-key=old", undefined, "s3://c?secret-key=old"],
    ["ssh-ng://h", undefined, "ssh-ng://h"],
  ])("%s signed with %s is %s", (url, key, signed) => expect(signedCache(url, key)).toBe(signed));

  it.each([
    ["s3://c", undefined],
    ["ssh://h", "k"],
  ])("%s with %s is refused", (url, key) => expect(() => signedCache(url, key)).toThrowError());
});
