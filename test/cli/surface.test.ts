import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { CATALOG } from "../../src/cli/catalog.ts";
import { modulesOf, scaffold } from "../../src/cli/scaffold.ts";
import { cli } from "../support/cli.ts";

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "macula-cli-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("the command line", () => {
  test.each(CATALOG.map((entry) => [entry.path] as const))(
    "%s --help shows usage and examples",
    async (path) => {
      const { exit, stdout, stderr } = await cli([...path.split(" "), "--help"]);
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      expect(stdout).toContain(`Usage: macula-fleet ${path}`);
      expect(stdout).toMatch(/Examples:\n {2}\S/);
    },
  );

  test("every example names the command it stands at", async () => {
    for (const entry of CATALOG) {
      const { command } = await entry.load();
      for (const example of command.examples ?? []) {
        if (example.startsWith("macula-fleet")) expect(example).toContain(`macula-fleet ${entry.path}`);
      }
    }
  });

  test("--version is the package's", async () => {
    expect(await cli(["--version"])).toEqual({ exit: 0, stdout: `${packageJson.version}\n`, stderr: "" });
  });

  test("without arguments it helps; every command is there, in its group", async () => {
    const { exit, stdout } = await cli([]);
    expect(exit).toBe(0);
    for (const { path } of CATALOG) expect(stdout).toContain(`\n  ${path.split(" ")[0]} `);
    for (const group of ["Start", "Change the fleet", "Look", "Single hosts", "Lab"])
      expect(stdout).toContain(`\n${group}:\n`);
    expect((await cli(["rollout", "--help"])).stdout).toContain("\nSteer a rollout:\n");
  });

  test.each([
    [["statsu"], "unknown command 'statsu'", "status"],
    [["rollout", "stauts"], "unknown command 'rollout stauts'", "rollout status"],
    [["status", "--ofline"], "unknown option '--ofline'", "--offline"],
    [["gc", "--keep", "none"], "--keep: must be a whole number", "--help"],
    [["import", "/nope"], "there is no /nope", "a directory, a tarball or a YAML file"],
    [["import", "nope.tar"], "there is no /nonexistent/nope.tar", "a directory, a tarball or a YAML file"],
    [["exec"], "missing required argument 'command'", "macula-fleet exec --help"],
  ])("%j is a usage error with a hint", async (argv, message, hint) => {
    const { exit, stdout, stderr } = await cli(argv);
    expect({ exit, stdout }).toEqual({ exit: 64, stdout: "" });
    expect(stderr).toContain(`error: ${message}  [usage]\n`);
    expect(stderr).toMatch(new RegExp(`fix: .*${hint}`));
  });

  test.each([
    [["status", "-o", "json"], "inventory-not-found"],
    [["status", "--output=ndjson"], "inventory-not-found"],
    [["statsu", "-o", "json"], "usage"],
  ])("%j says what is wrong as JSON on stdout, too", async (argv, code) => {
    const { exit, stdout, stderr } = await cli(argv, { cwd: dir });
    expect(exit).toBe(64);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code, exit: 64, message: expect.any(String) } });
    expect(stderr).toContain(`[${code}]`);
  });

  test("a remote command's own -o json is not ours", async () => {
    const { stdout } = await cli(["exec", "--", "tool", "-o", "json"], { cwd: dir });
    expect(stdout).toBe("");
  });
});

describe("init", () => {
  test("writes a fleet that is valid and refuses to overwrite any of it", async () => {
    const first = await cli(["init", "my-fleet"], { cwd: dir });
    expect(first.exit).toBe(0);
    const written = first.stdout.trim().split("\n");
    expect(written).toContain("my-fleet/inventory.yaml");
    for (const path of written) expect(existsSync(join(dir, path))).toBe(true);

    const valid = await cli(["inventory", "validate", "my-fleet/inventory.yaml", "-o", "json"], { cwd: dir });
    expect(JSON.parse(valid.stdout)).toMatchObject({ valid: true, hosts: 2 });
    const flake = await readFile(join(dir, "my-fleet/flake/flake.nix"), "utf8");
    expect(flake).toContain('description = "The fleet my-fleet"');

    await writeFile(join(dir, "my-fleet/README.md"), "mine");
    const again = await cli(["init", "my-fleet"], { cwd: dir });
    expect(again.exit).toBe(64);
    expect(again.stderr).toContain("nothing was written");
    expect(await readFile(join(dir, "my-fleet/README.md"), "utf8")).toBe("mine");
  });

  test("hands Nix what inventory resolve prints, and puts the operator's key in", async () => {
    const key = `ssh-ed25519 ${"A".repeat(68)} me@desk`;
    await writeFile(join(dir, "me.pub"), `${key}\n`);
    await cli(["init", "keyed", "--key", "me.pub"], { cwd: dir });
    const { stdout } = await cli(["inventory", "resolve", "-i", "keyed/inventory.yaml"], { cwd: dir });
    expect(await readFile(join(dir, "keyed/flake/inventory/fleet.json"), "utf8")).toBe(stdout);
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      hosts: [{ users: { root: { keys: [key] } } }, {}],
    });
  });

  test("refuses a key that is none", async () => {
    await writeFile(join(dir, "private"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n");
    const { exit, stderr } = await cli(["init", "fourth", "--key", "private"], { cwd: dir });
    expect(exit).toBe(64);
    expect(stderr).toContain("private holds no SSH public key");
    expect(stderr).not.toContain("BEGIN");
    expect(existsSync(join(dir, "fourth"))).toBe(false);
  });

  test("takes the modules from where it is told", async () => {
    await cli(["init", "other", "--modules", "git+https://git.example/macula-fleet?dir=flake"], { cwd: dir });
    const flake = await readFile(join(dir, "other/flake/flake.nix"), "utf8");
    expect(flake).toContain('macula.url = "git+https://git.example/macula-fleet?dir=flake";');
  });

  test("takes them from all of this installation, so that Nix can make the wizard for SD cards too", async () => {
    const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
    const flake = await readFile(join(dir, "my-fleet/flake/flake.nix"), "utf8");
    const stated = [
      `macula.url = "git+file://${root}?dir=flake";`,
      `macula.type = "path";\n    macula.path = "${root}";\n    macula.dir = "flake";`,
    ];
    expect(stated.filter((lines) => flake.includes(lines))).toHaveLength(1);
  });

  test.each([
    ["a checkout", [".git", "src/main.ts", "package-lock.json"], "git+file:///opt/a%20b?dir=flake"],
    ["a copy with its sources", ["src/main.ts", "package-lock.json"], { path: "/opt/a b", dir: "flake" }],
    ["a package without them", ["dist/main.js"], "path:/opt/a%20b/flake"],
  ])("of %s", (_, files, reference) => {
    expect(modulesOf("/opt/a b/", (path) => files.includes(path.replace("/opt/a b/", "")))).toEqual(
      reference,
    );
  });

  test("writes a folder of a directory as Nix of every version reads it", () => {
    const modules = { path: "/opt/a b", dir: "flake" };
    const template = 'inputs = {\n    macula.url = "git+https://x?dir=flake";\n  };';
    expect(scaffold({ name: "x", template, modules, schema: {} }).get("flake/flake.nix")).toBe(
      'inputs = {\n    macula.type = "path";\n    macula.path = "/opt/a b";\n    macula.dir = "flake";\n  };',
    );
  });

  test("refuses a name no fleet can have", async () => {
    const { exit, stderr } = await cli(["init", "third", "--name", "My Fleet"], { cwd: dir });
    expect(exit).toBe(64);
    expect(stderr).toContain("--name: must be lower case");
    expect(existsSync(join(dir, "third"))).toBe(false);
  });
});

describe("completion", () => {
  const offered = async (...words: string[]) => {
    const { exit, stdout } = await cli(["complete", "--", ...words], { cwd: join(dir, "completion") });
    expect(exit).toBe(0);
    const lines = stdout.trim().split("\n");
    expect(lines.pop()).toMatch(/^:\d+$/);
    return lines.map((line) => line.split("\t")[0]);
  };
  beforeAll(() => cli(["init", "completion"], { cwd: dir }));

  test.each(["bash", "zsh", "fish"])("prints a script for %s that asks this program", async (shell) => {
    const { exit, stdout } = await cli(["completion", shell]);
    expect(exit).toBe(0);
    expect(stdout).toContain("macula-fleet complete --");
  });

  test("knows no other shell", async () => {
    const { exit, stderr } = await cli(["completion", "tcsh"]);
    expect(exit).toBe(64);
    expect(stderr).toContain("bash, zsh, fish");
  });

  test("offers commands, their commands and their options", async () => {
    expect(await offered("gen")).toEqual(["generations"]);
    expect(await offered("rollout", "pa")).toEqual(["pause"]);
    expect(await offered("status", "--off")).toEqual(["--offline"]);
    expect(await offered("status", "-o", "nd")).toEqual(["ndjson"]);
  });

  test("offers hosts of the inventory, and patterns after --limit", async () => {
    expect(await offered("ssh", "node")).toEqual(["node-01", "node-02"]);
    expect(await offered("rollback", "node-02")).toEqual(["node-02"]);
    expect(await offered("status", "--limit", "site")).toEqual(["site=home"]);
  });

  test("leaves files to the shell, and stays silent without an inventory", async () => {
    expect((await cli(["complete", "--", "status", "-i", ""])).stdout).toBe(":0\n");
    expect(await offered("-i", "/nowhere.yaml", "ssh", "n")).toEqual([]);
  });
});
