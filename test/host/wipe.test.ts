/** The script that erases a disk, on a real block device of this machine: a loop device over a file. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { scriptCommand } from "../../src/host/commands.ts";

const KIB = 3 * 1024 + 7;
/** Why there can be none here; null: there can. */
function noLoop(): string | null {
  if (process.getuid?.() !== 0) return "needs root";
  const { status, stderr } = spawnSync("losetup", ["-f"], { encoding: "utf8" });
  return status === 0 ? null : (stderr ?? "no losetup");
}
const problem = noLoop();

describe.skipIf(problem !== null)(`wipe ${problem ?? ""}`, () => {
  let dir: string;
  let image: string;
  let device: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "mf-wipe-"));
    image = join(dir, "disk");
    writeFileSync(image, Buffer.alloc(KIB * 1024, "secret"));
    device = execFileSync("losetup", ["-f", "--show", image], { encoding: "utf8" }).trim();
    writeFileSync(join(dir, "installer"), "ID=nixos\nVARIANT_ID=installer\n");
    writeFileSync(join(dir, "nixos"), "ID=nixos\n");
    // Not this machine is to be switched off.
    writeFileSync(join(dir, "systemd-run"), `#!/bin/sh\necho "$@" > ${dir}/power\n`, { mode: 0o755 });
    writeFileSync(join(dir, "blkdiscard"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  });
  afterEach(() => {
    spawnSync("losetup", ["-d", device]);
    rmSync(dir, { recursive: true, force: true });
  });

  /** As on a system with this os-release, in a mount namespace of its own. */
  const wipe = (parameters: Record<string, string | number>, os = "installer") => {
    const { line, stdin } = scriptCommand("wipe", "root", parameters);
    const entered = `mount --bind '${dir}/${os}' /etc/os-release && exec ${line}`;
    return spawnSync("unshare", ["-m", "sh", "-c", entered], {
      input: String(stdin),
      encoding: "utf8",
      env: { PATH: `${dir}:${process.env.PATH}` },
    });
  };
  const content = () => createHash("sha256").update(readFileSync(image)).digest("hex");
  const blank = createHash("sha256")
    .update(Buffer.alloc(KIB * 1024))
    .digest("hex");

  it("leaves nothing of a disk that cannot discard, to its last odd block, and switches off", () => {
    const { status, stdout, stderr } = wipe({ DISK: device, SIZE: KIB, SERIAL: "" });
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: '{"schema":1,"did":"overwritten"}\n',
      stderr: "",
    });
    expect(content()).toBe(blank);
    expect(readFileSync(join(dir, "power"), "utf8")).toContain("poweroff");
  });

  it("believes a discard only after reading back", () => {
    writeFileSync(join(dir, "blkdiscard"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    expect(wipe({ DISK: device, SIZE: KIB, SERIAL: "" }).stdout).toContain("overwritten");
    expect(content()).toBe(blank);
    writeFileSync(
      join(dir, "blkdiscard"),
      `#!/bin/sh\nexec dd if=/dev/zero of=${device} bs=1024 count=${KIB} 2> /dev/null\n`,
      { mode: 0o755 },
    );
    writeFileSync(image, Buffer.alloc(KIB * 1024, "again"));
    expect(wipe({ DISK: device, SIZE: KIB, SERIAL: "" }).stdout).toContain("discarded");
    expect(content()).toBe(blank);
  });

  it.each([
    ["an installed system", { os: "nixos" }, 47, "only an installer erases one"],
    ["another size", { SIZE: KIB + 1 }, 44, "has another size"],
    ["another serial", { SERIAL: "S1" }, 44, "has the serial none, not S1"],
    ["a disk that is not there", { DISK: "/dev/disk/by-id/nothing" }, 48, "there is no disk"],
    ["a file", { DISK: "/etc/hostname" }, 48, "there is no disk"],
  ])("touches nothing of %s", (_, { os, ...change }: Record<string, string | number>, code, says) => {
    const before = content();
    const { status, stderr } = wipe({ DISK: device, SIZE: KIB, SERIAL: "", ...change }, os as string);
    expect(stderr).toContain(says);
    expect(status).toBe(code);
    expect(content()).toBe(before);
  });

  it("touches nothing that is mounted", () => {
    execFileSync("losetup", ["-d", device]);
    writeFileSync(image, "");
    truncateSync(image, KIB * 1024);
    execFileSync("mkfs.ext4", ["-q", image]);
    device = execFileSync("losetup", ["-f", "--show", image], { encoding: "utf8" }).trim();
    const before = content();
    const entered = `mkdir ${dir}/at && mount -o ro,noload ${device} ${dir}/at && mount --bind ${dir}/installer /etc/os-release && exec sh -s`;
    const { stdin } = scriptCommand("wipe", "root", { DISK: device, SIZE: KIB, SERIAL: "" });
    const { status, stderr } = spawnSync("unshare", ["-m", "sh", "-c", entered], {
      input: String(stdin),
      encoding: "utf8",
      env: { PATH: `${dir}:${process.env.PATH}` },
    });
    expect(stderr).toContain(`something on ${device} is in use`);
    expect(status).toBe(42);
    expect(content()).toBe(before);
    expect(basename(device)).toMatch(/^loop/);
  });
});
