import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dockerCli } from "../../src/lab/docker/engine.ts";
import { releaseFile, releaseWith } from "../../src/lab/docker/flake-release.ts";
import {
  commitRelease,
  createLabClosureSource,
  createLabFlake,
  LAB_NIX_CONFIG,
} from "../../src/lab/docker/lab-flake.ts";
import { createFlakeClosureSource, type FlakeClosureSource } from "../../src/nix/flake-source.ts";
import { createNixRunner, type NixRunner } from "../../src/nix/runner.ts";
import { type ContainerHost, type LabFixture, onContainers, signal, startLabFixture } from "./fixture.ts";

const call = { signal };
const hosts = [{ name: "node-01" }, { name: "node-02" }] as const;
const x86 = hosts.map(({ name }) => ({ name, arch: "x86_64-linux" as const }));

/** The Nix inside a container, so that the same source is driven by another version of it. */
function nixInside(container: string): NixRunner {
  const inside = createNixRunner({ env: {} });
  const wrap = (file: string, args: readonly string[]) => [
    ...["exec", "--interactive", "--env", `NIX_CONFIG=${LAB_NIX_CONFIG}`, container, file, ...args],
  ];
  return {
    async run(command, { onLine }) {
      const result = await execa("docker", wrap(command.file, command.args), { reject: false });
      for (const line of onLine ? result.stderr.split("\n") : []) onLine?.(line);
      return { code: result.exitCode ?? 1, stdout: result.stdout, stderr: result.stderr };
    },
    stream: (command, o) =>
      inside.stream({ ...command, file: "docker" as never, args: wrap(command.file, command.args) }, o),
  };
}

onContainers("real Nix", () => {
  let lab: LabFixture;
  let trixie: ContainerHost;
  let bookworm: ContainerHost;
  let root: string;
  let flake: string;
  let source: FlakeClosureSource;

  beforeAll(async () => {
    lab = await startLabFixture(2);
    [trixie, bookworm] = [lab.host("node-01"), lab.host("node-02")];
    expect([trixie.container.suite, bookworm.container.suite]).toEqual(["trixie", "bookworm"]);
    root = await mkdtemp(join(tmpdir(), "mf-nix-"));
    flake = join(root, "flake");
    await createLabFlake(flake, x86, signal);
    await commitRelease(flake, releaseFile("r1", "good"), signal);
    await commitRelease(flake, releaseFile("r2", "good"), signal);
    source = createLabClosureSource(flake);
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  describe("of this machine", () => {
    it("is new enough", async () => {
      expect(await source.nixVersion(call)).toMatch(/^2\.\d+/);
    });

    it("takes a commit as the revision, by default the head", async () => {
      const git = async (ref: string) => (await execa("git", ["-C", flake, "rev-parse", ref])).stdout;
      expect(await source.revision(undefined, call)).toBe(await git("HEAD"));
      expect(await source.revision("r1", call)).toBe(await git("r1"));
      await expect(source.revision("r99", call)).rejects.toMatchObject({ code: "usage" });
      await expect(source.revision("--all", call)).rejects.toMatchObject({ code: "usage" });
    });

    it("refuses uncommitted changes unless told", async () => {
      const file = join(flake, "release.json");
      const before = await readFile(file, "utf8");
      try {
        await writeFile(file, `${JSON.stringify(releaseFile("uncommitted", "good"))}\n`);
        await expect(source.revision(undefined, call)).rejects.toMatchObject({
          code: "usage",
          message: expect.stringContaining("release.json"),
        });
        expect(await source.revision("r1", call)).toMatch(/^[0-9a-f]{40}$/);
        const run = createNixRunner({ env: { NIX_CONFIG: LAB_NIX_CONFIG } });
        const lax = createFlakeClosureSource({ flakeRef: flake, baseDir: "/", run, allowDirty: true });
        const revision = await lax.revision(undefined, call);
        expect(revision).toMatch(/^[0-9a-f]{40}-dirty$/);
        const built = await lax.build(hosts, revision, call);
        expect(built.get("node-01")?.version).toBe("26.05.lab-uncommitted");
      } finally {
        await writeFile(file, before);
      }
    });

    it("builds the revision asked for, whatever lies in the work tree", async () => {
      for (const release of ["r1", "r2"]) {
        const built = await source.build(hosts, await source.revision(release, call), call);
        expect([...built.keys()]).toEqual(["node-01", "node-02"]);
        for (const [host, closure] of built) {
          expect(closure.toplevel).toMatch(new RegExp(`-nixos-system-${host}-26\\.05\\.lab-${release}$`));
          expect(closure.version).toBe(`26.05.lab-${release}`);
          expect(closure.size).toBeGreaterThan(1_000_000);
        }
      }
    });

    it("reads a flake below the top of its work tree, in a directory with a space", async () => {
      const top = join(root, "my fleet");
      await createLabFlake(join(top, "nix"), x86, signal);
      await rm(join(top, "nix", ".git"), { recursive: true });
      await execa("git", ["init", "--quiet", top]);
      await commitRelease(join(top, "nix"), releaseFile("r1", "good"), signal);
      const below = createLabClosureSource(join(top, "nix"));
      const built = await below.build(hosts, await below.revision(undefined, call), call);
      expect(built.get("node-01")?.version).toBe("26.05.lab-r1");
    });

    it("names the host the flake lacks and the host that does not build", async () => {
      const missing = source.build([...hosts, { name: "node-99" }], await source.revision("r1", call), call);
      await expect(missing).rejects.toMatchObject({ code: "build-failed", data: { hosts: ["node-99"] } });
      await commitRelease(flake, releaseWith("broken", { noBuild: true }, ["node-02"]), signal);
      const lines: string[] = [];
      const onLine = (line: string) => lines.push(line);
      const broken = source.build(hosts, await source.revision("broken", call), { signal, onLine });
      await expect(broken).rejects.toMatchObject({
        code: "build-failed",
        message: expect.stringContaining("this release does not build"),
        data: { hosts: ["node-02"] },
      });
      expect(lines.join("\n")).toContain("nixos-system-node-02");
    });

    it("lists a closure dependencies first and diffs two of them", async () => {
      const [r1, r2] = await Promise.all(
        ["r1", "r2"].map(async (r) =>
          (await source.build(hosts, await source.revision(r, call), call)).get("node-01"),
        ),
      );
      const paths = await source.requisites(r1?.toplevel ?? "", call);
      expect(paths.at(-1)?.path).toBe(r1?.toplevel);
      expect(paths.reduce((sum, { size }) => sum + size, 0)).toBe(r1?.size);
      const references = async (path: string) =>
        (await execa("nix-store", ["-q", "--references", path])).stdout.split("\n");
      const seen = new Set<string>();
      for (const { path } of paths) {
        for (const reference of await references(path)) {
          if (reference !== path && reference !== "") expect(seen).toContain(reference);
        }
        seen.add(path);
      }
      const changes = await source.diff(r1?.toplevel ?? "", r2?.toplevel ?? "", call);
      expect(changes.map(({ name }) => name)).toContain("nixos-system-node");
      expect(await source.diff(r1?.toplevel ?? "", r1?.toplevel ?? "", call)).toEqual([]);
    });

    it("pushes signed closures to a binary cache from which a host takes them", async () => {
      const key = join(root, "cache.sec");
      const { stdout: secret } = await execa("nix-store", [
        ...["--generate-binary-cache-key", "lab-cache-1", key, join(root, "cache.pub")],
      ]).then(() => execa("cat", [join(root, "cache.pub")]));
      const built = await source.build(hosts, await source.revision("r2", call), call);
      const toplevel = built.get("node-02")?.toplevel ?? "";
      await source.push(
        `file://${encodeURI(join(root, "cache"))}?secret-key=${encodeURI(key)}`,
        [toplevel],
        call,
      );
      const narinfos = (await readdir(join(root, "cache"))).filter((name) => name.endsWith(".narinfo"));
      expect(narinfos).toHaveLength((await source.requisites(toplevel, call)).length);
      await dockerCli.run(
        ["cp", join(root, "cache"), `${bookworm.container.container}:/var/cache/lab`],
        call,
      );
      const trust = `--option trusted-public-keys '${secret.trim()}' --option substituters file:///var/cache/lab`;
      await bookworm.exec(`nix-store --realise ${toplevel} ${trust}`);
      expect(await bookworm.exec(`nix-store --check-validity ${toplevel} && echo valid`)).toBe("valid");
      const nowhere = source.push("file:///proc/nowhere", [toplevel], call);
      await expect(nowhere).rejects.toMatchObject({ code: "copy-failed" });
    });

    it("is missed in words", async () => {
      const run = createNixRunner({ env: { PATH: join(root, "empty") } });
      const without = createFlakeClosureSource({ flakeRef: "path:/nowhere", baseDir: "/", run });
      await expect(without.nixVersion(call)).rejects.toMatchObject({ code: "nix-missing" });
    });
  });

  describe("of another version, inside a container", () => {
    it("builds the same systems offline as root, with and without git", async () => {
      const built = await source.build(hosts, await source.revision("r1", call), call);
      for (const host of [trixie, bookworm]) {
        const { container } = host.container;
        await dockerCli.run(["exec", container, "rm", "-rf", "/root/flake"], call);
        await dockerCli.run(["cp", flake, `${container}:/root/flake`], call);
        await host.exec("cd /root/flake && rm -rf .git && chown -R root: .");
        await host.exec(`echo '${JSON.stringify(releaseFile("r1", "good"))}' > /root/flake/release.json`);
        const inside = createFlakeClosureSource({
          flakeRef: "/root/flake",
          baseDir: "/",
          run: nixInside(container),
        });
        expect(await inside.nixVersion(call)).toMatch(host === trixie ? /^2\.26/ : /^2\.8/);
        const revision = await inside.revision(undefined, call);
        expect(revision).toMatch(/^sha256-/);
        await expect(inside.revision("v1", call)).rejects.toMatchObject({ code: "usage" });
        const here = await inside.build(hosts, revision, call);
        expect([...here.values()].map(({ version }) => version)).toEqual(["26.05.lab-r1", "26.05.lab-r1"]);
        expect([...here.values()].map(({ size }) => size)).toEqual(
          [...built.values()].map(({ size }) => size),
        );
        const toplevel = here.get("node-01")?.toplevel ?? "";
        const paths = await inside.requisites(toplevel, call);
        expect(paths.every(({ size }) => size > 0)).toBe(true);
        expect(paths.at(-1)?.path).toBe(toplevel);
        // The hash is the revision: newer versions refuse what has changed, older ones build what was planned.
        await host.exec("echo >> /root/flake/release.json");
        const changed = await inside.build(hosts, revision, call).then(
          (systems) => systems.get("node-01")?.toplevel,
          (error: unknown) => String(error),
        );
        expect(changed === toplevel ? "NAR hash mismatch" : changed).toContain("NAR hash mismatch");
        expect(await inside.revision(undefined, call)).not.toBe(revision);
      }
    });

    it.each([
      ["new to old", () => [trixie, bookworm] as const],
      ["old to new", () => [bookworm, trixie] as const],
    ])("hands closures on over ssh: %s", async (_, pair) => {
      const [from, to] = pair();
      const system = await from.exec("readlink /run/current-system");
      const inside = createFlakeClosureSource({
        ...{ flakeRef: "path:/nowhere", baseDir: "/" },
        run: nixInside(from.container.container),
      });
      const paths = (await inside.requisites(system, call)).map(({ path }) => path);
      const elevate = { root: "", deploy: "sudo -n ", admin: "doas -n " }[to.container.user] ?? "";
      const imported = await to.ssh(`${elevate}nix-store --import`, inside.export(paths, call));
      expect(imported.split("\n")).toEqual(paths);
      expect(await to.exec(`nix-store --verify-path $(nix-store -qR ${system}) && echo intact`)).toBe(
        "intact",
      );
    });
  });
});
