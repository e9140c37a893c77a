import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { CAUSES, WAITS } from "../../src/install/anywhere/causes.ts";
import { diagnose, isHopeless } from "../../src/install/anywhere/progress.ts";

const Case = z.strictObject({
  name: z.string(),
  how: z.enum(["failed", "waited"]).default("failed"),
  step: z.string().nullable(),
  lines: z.array(z.string()),
  says: z.string(),
  fix: z.string(),
});
const cases = z
  .array(Case)
  .parse(parse(readFileSync(new URL("../cases/install/failures.yaml", import.meta.url), "utf8")));

it.each(cases)("$name", ({ how, step, lines, says, fix }) => {
  const found = diagnose(step, lines, how);
  expect(found.message).toContain(says);
  expect(found.fix).toContain(fix);
  expect(found.message).toContain(step === null ? "before its first step" : `at "${step}"`);
});

it("has a case for every cause", () => {
  const told = cases.map((c) => diagnose(c.step, c.lines, c.how).message).join("\n");
  for (const { message } of [...CAUSES, ...WAITS]) expect(told).toContain(message);
});

it("gives up early only where nixos-anywhere would try for ever", () => {
  const key = "Host key verification failed.";
  expect(isHopeless("Uploading install SSH keys", key, 1)).toBe(true);
  expect(isHopeless("Switching system into kexec", key, 1)).toBe(false);
  expect(isHopeless("Uploading install SSH keys", "a@b: Permission denied (publickey).", 3)).toBe(false);
  expect(isHopeless("Uploading install SSH keys", "a@b: Permission denied (publickey).", 4)).toBe(true);
  expect(isHopeless("Uploading install SSH keys", "ssh: Connection refused", 99)).toBe(false);
});
