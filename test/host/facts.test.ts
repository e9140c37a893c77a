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
