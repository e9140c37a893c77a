/** The command's dependencies as Nix installs them: from the lock alone, and so that Node finds them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { describeNix, evaluate, FLAKE, HERE, readJson } from "./nix.ts";

const LOCK = fileURLToPath(new URL("../../package-lock.json", import.meta.url));

/** The script that `node-modules.nix` makes of a lock file; a tarball in it is what `tarball` says of `{ name, args, text }`. */
const built = (lockFile: string, tarball: string): string =>
  evaluate([
    "--expr",
    `let lib = import ${HERE}lib // { fetchers.proxyImpureEnvVars = [ ]; }; in
    import ${FLAKE}/pkgs/node-modules.nix {
      inherit lib;
      lockFile = ${lockFile};
      nodejs_24 = "node";
      cacert = "certificates";
      runCommand = name: args: text: if args ? outputHash then (${tarball}) { inherit name args text; } else text;
    }`,
  ]) as string;

describeNix("node_modules, built by Nix", () => {
  it("are every runtime package of the lock, each by its own hash", () => {
    const { packages } = readJson(LOCK) as {
      packages: Record<string, { integrity?: string; dev?: true; optional?: true; version: string }>;
    };
    const runtime = Object.entries(packages).filter(([path, p]) => path !== "" && !p.dev && !p.optional);
    const asked = `t: "\${t.args.outputHash} \${t.args.outputHashMode} \${builtins.replaceStrings [ "\\n" ] [ ";" ] t.text}"`;
    const lines = built(LOCK, asked)
      .split("\n")
      .map((line) => line.replaceAll("'", ""))
      .filter((line) => line.startsWith("unpack node_modules/"));
    expect(lines).toHaveLength(runtime.length);
    expect(runtime.length).toBeGreaterThan(50);
    for (const [path, { integrity, version }] of runtime) {
      const name = path.split("node_modules/").at(-1) ?? "";
      expect(integrity, path).toMatch(/^sha512-/);
      const line = lines.find((each) => each.startsWith(`unpack ${path} `));
      expect(line, path).toContain(` ${integrity} flat `);
      expect(line, path).toContain(`;npm pack --silent ${name}@${version};`);
    }
  });

  it("find each other when an application links to them", () => {
    const root = mkdtempSync(join(tmpdir(), "macula-modules-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    };
    const tarball = (name: string, version: string, code: string) => {
      write("package/package.json", JSON.stringify({ name, version, type: "module", exports: "./index.js" }));
      write("package/index.js", code);
      const file = `${name.split("/").at(-1)}-${version}.tgz`;
      const run = spawnSync("tar", ["czf", join(root, file), "-C", root, "package"]);
      expect(run.status).toBe(0);
      return { version, integrity: `sha512-${name}` };
    };
    const packages = {
      "": { name: "app" },
      "node_modules/@scope/a": tarball(
        "@scope/a",
        "1.0.0",
        'import b from "b"; import c from "c"; export default ["a", b, c].join(" ");',
      ),
      "node_modules/@scope/a/node_modules/b": tarball("b", "2.0.0", 'export default "b2";'),
      "node_modules/b": tarball("b", "1.0.0", 'export default "b1";'),
      "node_modules/c": tarball("c", "1.0.0", 'import b from "b"; export default "c(" + b + ")";'),
      "node_modules/d": { version: "1.0.0", dev: true },
      "node_modules/e": { version: "1.0.0", optional: true },
    };
    write("package-lock.json", JSON.stringify({ packages }));
    const out = join(root, "out");
    const script = built(join(root, "package-lock.json"), `t: "${root}/\${t.name}"`);
    const unpack = spawnSync("bash", ["-euc", script], { encoding: "utf8", env: { ...process.env, out } });
    expect(unpack).toMatchObject({ status: 0, stderr: "" });
    write("app/main.mjs", 'import a from "@scope/a"; console.log(a);');
    symlinkSync(join(out, "node_modules"), join(root, "app", "node_modules"));
    const run = spawnSync(process.execPath, [join(root, "app", "main.mjs")], { encoding: "utf8" });
    expect(run).toMatchObject({ status: 0, stdout: "a b2 c(b1)\n" });
  });
});
