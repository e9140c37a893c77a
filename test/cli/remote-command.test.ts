import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { remoteCommand } from "../../src/cli/remote-command.ts";
import type { Host } from "../../src/inventory/model.ts";
import { aHost } from "../support/fleet.ts";

const host = (user: string, elevate: Host["ssh"]["elevate"]): Host => {
  const base = aHost("node-01");
  return { ...base, user, ssh: { ...base.ssh, elevate } };
};
const line = (words: readonly string[], h = host("root", "auto"), root = false) =>
  remoteCommand(words, h, root).line;

let bin = "";
beforeAll(async () => {
  bin = await mkdtemp(join(tmpdir(), "macula-bin-"));
  await writeFile(join(bin, "doas"), '#!/bin/sh\necho "doas $*"\n');
  await chmod(join(bin, "doas"), 0o755);
});
afterAll(() => rm(bin, { recursive: true, force: true }));

test("several words arrive as they are, whatever is in them", () => {
  const word = fc.string({ unit: "grapheme", maxLength: 8 }).filter((w) => !w.includes("\0"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (args) => {
      const said = execFileSync("/bin/sh", ["-c", line(["printf", "%s\\0", ...args])], { encoding: "utf8" });
      expect(said).toBe(`${args.join("\0")}\0`);
    }),
    { numRuns: 40 },
  );
});

test("a single word is a line for the shell", () => {
  expect(execFileSync("/bin/sh", ["-c", line(["echo a b | tr ab cd"])], { encoding: "utf8" })).toBe("c d\n");
});

test("--root asks for what the host has, and only where the login is not root", () => {
  expect(line(["id", "-u"], host("root", "sudo"), true)).toBe("id -u");
  expect(line(["id", "-u"], host("ops", "sudo"), false)).toBe("id -u");
  expect(line(["id", "-u"], host("ops", "sudo"), true)).toBe("sudo -n id -u");
  expect(line(["id", "-u"], host("ops", "doas"), true)).toBe("doas -n id -u");
  const either = line(["id", "a b"], host("ops", "auto"), true);
  expect(
    execFileSync("/bin/sh", ["-c", `PATH=${bin}:; ${either.replace(/^sh /, "/bin/sh ")}`], {
      encoding: "utf8",
    }),
  ).toBe("doas -n id a b\n");
  expect(() => line(["id"], host("ops", "none"), true)).toThrow("ssh.elevate is none");
});
