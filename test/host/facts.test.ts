import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { scripts } from "../../src/host/scripts.ts";

it("facts tell a disk's partitions with the names in its table", () => {
  const sys = mkdtempSync(join(tmpdir(), "mf-facts-"));
  try {
    for (const [n, uevent] of [
      [1, "PARTN=1\nPARTNAME=EFI system\n"],
      [2, "PARTN=2\n"],
    ] as const) {
      const part = join(sys, "nosuch", `nosuch${n}`);
      mkdirSync(part, { recursive: true });
      writeFileSync(join(part, "partition"), `${n}\n`);
      writeFileSync(join(part, "size"), "2048\n");
      writeFileSync(join(part, "uevent"), `DEVTYPE=partition\n${uevent}`);
    }
    const body = /^partitions\(\) \{[\s\S]*?^\}$/m.exec(scripts.facts)?.[0] ?? "";
    const input = `set -u\n${body.replaceAll("/sys/block", sys)}\npartitions nosuch\n`;
    const { stdout, stderr } = spawnSync("sh", { input, encoding: "utf8" });
    expect({ stdout, stderr }).toEqual({
      stdout: "/dev/nosuch1 1024  EFI system\n/dev/nosuch2 1024 \n",
      stderr: "",
    });
  } finally {
    rmSync(sys, { recursive: true, force: true });
  }
});

it.each([
  ["of zeros is", [], true],
  ["with a mark at its beginning is not", [1024 + 56], false],
  ["with a mark at the end of its first part is not", [4 * 1024 * 1024 - 1], false],
  ["with a mark at its end is not", [-1], false],
  ["with a mark at the beginning of its last part is not", [-4 * 1024 * 1024], false],
])("facts: a disk %s blank", (_, marks, expected) => {
  const dir = mkdtempSync(join(tmpdir(), "mf-blank-"));
  try {
    // Not a whole number of blocks, as disks are.
    for (const size of [16 * 1024 * 1024, 16 * 1024 * 1024 + 1024, 5 * 1024 * 1024 + 512 * 6]) {
      const disk = Buffer.alloc(size);
      for (const at of marks) disk[at < 0 ? size + at : at] = 1;
      writeFileSync(join(dir, "nosuch"), disk);
      expect(isBlank(dir, "nosuch", size / 1024), `${size}`).toBe(expected);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
it("facts: what cannot be read, or is no disk of any size, is not blank", () => {
  expect(isBlank("/nonexistent", "nosuch", 16384)).toBe(false);
  expect(isBlank("/nonexistent", "nosuch", 0)).toBe(false);
  expect(isBlank("/dev", "null", 0)).toBe(false);
});

function isBlank(dev: string, name: string, kib: number): boolean {
  const body = /^blank\(\) \{[\s\S]*?^\}$/m.exec(scripts.facts)?.[0] ?? "";
  const input = `set -u\n${body.replaceAll("/dev/$1", `${dev}/$1`)}\nif blank ${name} ${kib}; then echo yes; else echo no; fi\n`;
  const { stdout } = spawnSync("sh", { input, encoding: "utf8" });
  expect(stdout).toMatch(/^(?:yes|no)\n$/);
  return stdout === "yes\n";
}
