import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import type { Problem } from "../../src/inventory/model.ts";
import { redactSource } from "../../src/inventory/redact.ts";
import { formatProblems } from "../../src/inventory/report.ts";

const path = fileURLToPath(new URL("mistakes.yaml", import.meta.url));
const load = () => loadInventory({ path, cwd: "/", env: {}, now: Date.parse("2026-11-23") });

describe("a file with many mistakes", () => {
  test("all of them are reported at once, each with place, cause and fix", async () => {
    const { problems } = await load();
    const codes = new Set(problems.map(({ code }) => code));
    const wanted = ["E501", "E118", "E104", "E103", "E101", "E401", "E110", "E106", "E105", "E112"];
    for (const code of [...wanted, "E201", "E301", "E702", "E704", "E707", "E703", "E801", "E901"]) {
      expect(codes).toContain(code);
    }
    for (const problem of problems) {
      expect(problem.at, problem.message).toMatchObject({ file: path, line: expect.any(Number) });
    }
  });

  test("requireValid throws once, with all of them as data and usage as exit code", async () => {
    const loaded = await load();
    try {
      requireValid(loaded);
      expect.fail("did not throw");
    } catch (error) {
      if (!(error instanceof FleetError)) throw error;
      expect(error.code).toBe("inventory-invalid");
      expect(error.exit).toBe(64);
      expect(error.data?.problems).toEqual(loaded.problems);
    }
  });

  test("the text shows lines and carets, counts at the end, and never the token", async () => {
    const { problems, sources } = await load();
    const text = formatProblems(problems, { sources, nameFile: () => "mistakes.yaml" });
    expect(text).toContain(
      'mistakes.yaml:10:14 error E103 hosts.node-02: unknown key "adress". Did you mean "address"?',
    );
    expect(text).toContain("> 10 |   node-02: { adress: 192.168.1.12 }\n     |              ^");
    expect(text).toMatch(/\n\d+ errors, \d+ warnings$/);
    expect(text).toContain("tokenRef: [hidden]");
    expect(text).not.toMatch(/K10f00d|deadbeef/);
    expect(JSON.stringify(problems)).not.toMatch(/f00dfeed|deadbeef/);
  });

  test("colours are the caller's", async () => {
    const { problems, sources } = await load();
    const mark = (name: string) => (text: string) => `<${name}>${text}</${name}>`;
    const colors = {
      error: mark("e"),
      warning: mark("w"),
      info: mark("i"),
      strong: mark("s"),
      dim: mark("d"),
    };
    const text = formatProblems(problems, { sources, colors });
    expect(text).toContain(`<s>${path}:10:14</s> <e>error E103</e>`);
    expect(text).toContain("<w>warning E801</w>");
  });
});

test("frames cut long lines around the place and survive the last line", () => {
  const long = `hosts: {${"a: {address: 10.0.0.1}, ".repeat(40)}zzz: 1}`;
  const at = { file: "f", line: 1, col: long.indexOf("zzz") + 1 };
  const problem: Problem = { code: "E1", severity: "error", path: "", message: "m", at };
  const text = formatProblems([problem], { sources: [{ path: "f", text: long }] });
  const [, line = "", caret = ""] = text.split("\n");
  expect(line.length).toBeLessThan(180);
  expect(line[caret.indexOf("^")]).toBe("z");
  expect(line.slice(caret.indexOf("^"))).toMatch(/^zzz: 1/);
});

describe("redactSource", () => {
  test.each([
    ["a key's block", "users:\n  me:\n    password: |\n      hunter2\n    keys: [a]", "hunter2", "keys: [a]"],
    ["a quoted value", 'x: {"apiKey": "se,cret", y: 1}', "se,cret", "y: 1"],
    [
      "a private key",
      "k: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  AAAA\n  -----END OPENSSH PRIVATE KEY-----\nz: 1",
      "AAAA",
      "z: 1",
    ],
    ["a token in a list", "args: [--token=K10aabbccddeeff0011223344::x:yy]", "aabbcc", "args: ["],
    ["a datastore's address", "c: {datastoreRef: postgres://k:hunter2@db/k3s, y: 1}", "hunter2", "y: 1"],
  ])("%s is masked, its neighbours are not", (_, source, secret, kept) => {
    const masked = redactSource(source);
    expect(masked).not.toContain(secret);
    expect(masked).toContain(kept);
    expect(masked.split("\n")).toHaveLength(source.split("\n").length);
  });

  test("references stay readable", () => {
    const source = 'a: {tokenRef: "sops:secrets/a.yaml#k3s.token", pskRef: env:PSK}';
    expect(redactSource(source)).toBe(source);
  });
});
