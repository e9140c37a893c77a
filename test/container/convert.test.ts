/**
 * A k3OS node becomes a NixOS one, over real ssh, on a container with a k3OS file tree. nixos-anywhere and its kexec
 * are the stand-ins of `install/` (the real nixos-anywhere where MACULA_NIXOS_ANYWHERE names it).
 */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseDocument } from "yaml";
import { dockerLabPowerCycle } from "../../src/lab/docker/control.ts";
import { dockerCli } from "../../src/lab/docker/engine.ts";
import { labLayout } from "../../src/lab/layout.ts";
import type { Entry } from "../../src/tar/read.ts";
import { writeTar } from "../../src/tar/write.ts";
import { buildNodeTree, type NodeTree } from "../convert/node-tree.ts";
import { type ContainerHost, type LabFixture, onContainers, signal, startLabFixture } from "./fixture.ts";

const here = (name: string) => fileURLToPath(new URL(`./${name}`, import.meta.url));
const CLI = fileURLToPath(new URL("../../bin/macula-fleet.js", import.meta.url));
const REAL = process.env.MACULA_NIXOS_ANYWHERE;
/** It logs in as `deploy`, who has sudo. */
const NAME = "node-02";
const VOLUME = "/var/lib/rancher/k3s/storage/pvc-1_default_data";
const ACL = "user::rw-\nuser:1234:r--\ngroup::r--\nmask::r--\nother::---\n";

onContainers("convert", () => {
  let lab: LabFixture;
  let node: ContainerHost;
  let work: string;
  let tree: NodeTree;
  let keyBefore: string;
  const inventory = () => labLayout(lab.dir).inventory;
  const convert = async (...args: readonly string[]) => {
    const program = [
      "--nixos-anywhere",
      REAL ?? here("install/nixos-anywhere"),
      "--kexec",
      join(work, "kexec.tar.gz"),
    ];
    const all = [CLI, "convert", NAME, "-i", inventory(), "--yes", "--carry-datastore", ...program, ...args];
    const result = await execa(process.execPath, all, { reject: false, all: true, stdin: "ignore" });
    return { code: result.exitCode, said: result.all };
  };

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "mf-convert-"));
    await mkdir(join(work, "kexec"));
    await copyFile(here("install/kexec-run.sh"), join(work, "kexec", "run"));
    await execa("tar", ["-C", work, "-czf", join(work, "kexec.tar.gz"), "kexec"]);
    lab = await startLabFixture(2);
    node = lab.host(NAME);
    await node.exec(await readFile(here("install/as-debian.sh"), "utf8"));
    await dockerLabPowerCycle(lab.dir, NAME, { signal });
    await node.ready();

    const root = join(work, "tree");
    await mkdir(root);
    tree = buildNodeTree(root);
    // A host keeps the keys it has; everything else comes from the tree.
    await rm(join(root, "etc/ssh"), { recursive: true });
    const files = execa("tar", ["-C", root, "-cf", "-", "."], { encoding: "buffer", buffer: false });
    const unpack = (input: AsyncIterable<Uint8Array>, ...options: readonly string[]) =>
      dockerCli.run(
        [
          "exec",
          "-i",
          node.container.container,
          "tar",
          "-C",
          "/",
          "--numeric-owner",
          ...options,
          "-xpf",
          "-",
        ],
        { signal, input },
      );
    await unpack(files.iterable({ from: "stdout", binary: true, preserveNewlines: true }));
    await unpack(writeTar([withAttributes()]), "--acls", "--xattrs", "--xattrs-include=*");
    await node.exec("chmod 755 / /etc /var /home /opt /var/lib");
    await node.exec(await readFile(here("convert/as-k3os.sh"), "utf8"));
    keyBefore = (await node.exec("cat /etc/ssh/ssh_host_ed25519_key.pub")).trim();

    const text = parseDocument(await readFile(inventory(), "utf8"));
    await writeFile(join(lab.dir, "token"), "K10unused");
    text.setIn(["clusters", "home"], { datastore: "sqlite", tokenRef: "file:token" });
    for (const [key, value] of Object.entries({
      os: "k3os",
      convert: true,
      k3s: { cluster: "home", role: "server" },
      users: { macula: { keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHomeLabOperatorKeyExampleOnly ops"] } },
    }))
      text.setIn(["hosts", NAME, key], value);
    await writeFile(inventory(), text.toString());
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    if (work) await rm(work, { recursive: true, force: true });
  });

  it("imports the live node, secrets only in private files", async () => {
    const out = join(work, "imported");
    const result = await execa(process.execPath, [CLI, "import", NAME, "-i", inventory(), "--out", out], {
      reject: false,
      all: true,
      stdin: "ignore",
    });
    expect(result.all).toContain("cannot go over Wi-Fi");
    expect(result.exitCode).toBe(5);
    const yaml = await readFile(join(out, `${NAME}.yaml`), "utf8");
    expect(yaml).toContain(tree.did);
    expect(yaml).toContain("wireguard");
    for (const secret of tree.secrets) expect(yaml + result.all).not.toContain(secret);
    expect((await execa("find", [join(out, "secrets"), "-type", "f", "!", "-perm", "600"])).stdout).toBe("");
  });

  it("plans without touching anything, and names what needs a human", async () => {
    const { code, said } = await convert("--plan");
    expect(said).toContain("k3s: carry");
    expect(said).toContain("/etc/cron.d/cleanup runs commands by the clock");
    expect(said).toMatch(/kept\s+persistent volumes/);
    expect(said).toMatch(/dropped\s+containers/);
    expect(code).toBe(5);
    expect(
      await node.exec("systemctl is-active k3s; cat /var/lib/fake-k3s/cordoned 2>/dev/null || echo never"),
    ).toBe("active\nnever");
    const refused = await convert();
    expect(refused.said).toContain("things need a human first");
    expect(refused.code).toBe(5);
    const old = join(work, "old-anywhere");
    await writeFile(old, "#!/bin/sh\necho --flake\n", { mode: 0o755 });
    const late = await convert("--accept-open", "--nixos-anywhere", old);
    expect(late.said).toContain("too old");
    expect(late.code).toBe(1);
    await node.exec("mkdir -p /var/lib/data/vol && mount -t tmpfs tmpfs /var/lib/data/vol");
    const mounted = await convert("--plan");
    expect(mounted.said).toMatch(
      /REFUSED: has other file systems below what is kept.*: \/var\/lib\/data\/vol/,
    );
    await node.exec("umount /var/lib/data/vol && rmdir /var/lib/data/vol");
    expect(await node.exec("systemctl is-active k3s")).toBe("active");
  });

  it("stops before anything is erased when the archive has no room, and can be undone", async () => {
    const small = join(work, "small");
    await mkdir(small);
    await execa("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    try {
      const { code, said } = await convert("--accept-open", "--archive-dir", small);
      expect(said).toContain("free, the archive needs");
      expect(said).toContain("--undo puts it back into service");
      expect(code).toBe(3);
      const again = await convert("--continue", "--archive-dir", small);
      expect(again.said).toContain("free, the archive needs");
      expect(await node.exec("grep -c cordoned /var/lib/fake-k3s/calls")).toBe("1");
      expect(await node.exec("systemctl is-active k3s || true; cat /var/lib/fake-k3s/cordoned")).toBe(
        "inactive\ntrue",
      );
      expect((await convert("--undo")).code).toBe(0);
      expect(await node.exec("systemctl is-active k3s; cat /var/lib/fake-k3s/cordoned")).toBe(
        "active\nfalse",
      );
    } finally {
      await execa("umount", [small]);
    }
  });

  it("converts, with a break in the middle, and proves every row", async () => {
    // The installer has no place for the state at first: as a full disk would be.
    const broken = join(work, "broken-anywhere");
    const real = REAL ?? here("install/nixos-anywhere");
    await writeFile(
      broken,
      `#!/bin/sh\ncase "$*" in *"--phases install"*) echo "### Installing NixOS ###"; echo "No space left on device"; exit 1 ;; esac\nexec ${real} "$@"\n`,
      { mode: 0o755 },
    );
    const first = await convert("--accept-open", "--nixos-anywhere", broken);
    expect(first.said).toContain("k3OS is erased: it cannot be undone, only finished");
    expect(first.said).toContain(`macula-fleet convert ${NAME} --continue`);
    expect(first.code).toBe(3);
    const late = await convert("--undo");
    expect(late.said).toContain("k3OS is erased: it cannot be undone, only finished");
    const wrong = await execa(process.execPath, [CLI, "install", "--continue", "-i", inventory(), "--yes"], {
      reject: false,
      all: true,
      stdin: "ignore",
    });
    expect(wrong.all).toContain(`is a conversion of ${NAME}, not an installation`);

    const { code, said } = await convert("--continue");
    console.log(
      said
        .split("\n")
        .filter((l) => /^\s+(?:ok|FAILED) |^preserved|^archive:/.test(l))
        .join("\n"),
    );
    expect(said).toMatch(/preserved (\d+)\/\1/);
    expect(said).toContain(`${tree.did}, recomputed from its key`);
    expect(said).not.toContain("FAILED");
    expect(code, said).toBe(0);
  });

  it("kept owners, modes, ACLs, attributes, the host key and the cluster's node", async () => {
    expect((await node.exec("cat /mnt/etc/ssh/ssh_host_ed25519_key.pub")).trim()).toBe(keyBefore);
    expect(
      await node.exec(`cd /mnt${VOLUME} && stat -c '%a %u:%g %F' 'data file with spaces' setgid setgid/link`),
    ).toBe("640 1234:4321 regular file\n2770 0:0 directory\n777 1234:4321 symbolic link");
    const attributes = await node.exec(
      `tar --acls --xattrs --xattrs-include='*' -C /mnt${VOLUME} -cf - attributes | grep -a -o -e 'xattr.user.macula=kept' -e 'user:1234:r--'`,
    );
    expect(attributes.split("\n").sort()).toEqual(["user:1234:r--", "xattr.user.macula=kept"]);
    expect(await node.exec("cat /mnt/home/macula/notes.txt; ls -A /mnt/home/macula")).toBe(
      "do not lose me\nnotes.txt\n.ssh".replace("notes.txt\n.ssh", ".ssh\nnotes.txt"),
    );
    expect(await node.exec("ls /mnt/var/lib/rancher/k3s/server/manifests")).toBe("mine.yaml");
    expect(await node.exec("cat /var/lib/fake-k3s/cordoned /var/lib/fake-k3s/labels")).toContain(
      "macula.io/mode- macula.io/version- macula.io/upgrade-",
    );
  });

  it("told nobody a secret", async () => {
    const state = labLayout(lab.dir).state;
    const files = (await readdir(state, { recursive: true, withFileTypes: true })).filter((e) => e.isFile());
    expect(files.some((f) => f.name.endsWith(".tar.age"))).toBe(true);
    for (const file of files) {
      const content = await readFile(join(file.parentPath, file.name), "latin1");
      for (const secret of tree.secrets) expect(content.includes(secret), file.name).toBe(false);
    }
  });
});

function withAttributes(): Entry {
  const text = (value: string) => new TextEncoder().encode(value);
  const extra = new Map([
    ["SCHILY.xattr.user.macula", text("kept")],
    ["SCHILY.acl.access", text(ACL)],
  ]);
  const body = (async function* () {
    yield text("with attributes");
  })();
  return {
    path: `${VOLUME.slice(1)}/attributes`,
    type: "file",
    mode: 0o640,
    uid: 0,
    gid: 0,
    size: 15,
    mtime: 1e9,
    link: "",
    extra,
    body,
  };
}
