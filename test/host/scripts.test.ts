import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PULL_PROTOCOL } from "../../src/host/pull-protocol.ts";
import { identify, type ScriptName, scripts } from "../../src/host/scripts.ts";
import { withParameters } from "../../src/kernel/shell.ts";

const names = Object.keys(scripts) as ScriptName[];
const available = (tool: string) => spawnSync(tool, ["--help"]).error === undefined;
const shells: readonly (readonly [string, readonly string[]])[] = [
  ["dash", ["-n"]],
  ["bash", ["--posix", "-n"]],
  ["busybox", ["sh", "-n"]],
];

/** The programs a script carries for units of its own. */
const programs = names.flatMap((name) =>
  [
    ...scripts[name].matchAll(
      /^program_([a-z]+)\(\) \{\n {2}cat << 'MACULA_FLEET_PROGRAM'\n([\s\S]*?)^MACULA_FLEET_PROGRAM$/gm,
    ),
  ].map((m) => [`${name}: ${m[1]}`, m[2] ?? ""] as const),
);

describe("scripts", () => {
  it("carry the programs of their units", () => {
    expect(programs.map(([name]) => name).sort()).toEqual(
      ["activate: boot", "activate: restore", "activate: supervise", "commit: finish"].concat([
        "revert: boot",
        "revert: restore",
      ]),
    );
  });

  const all = [...names.map((name) => [name, scripts[name]] as const), ...programs];
  for (const [shell, args] of shells.filter(([tool]) => available(tool))) {
    it.each(all)(`%s is a script for ${shell}`, (_, text) => {
      const { status, stderr } = spawnSync(shell, args, { input: text, encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    });
  }

  it.skipIf(!available("shellcheck"))(
    "satisfy shellcheck",
    () => {
      // Parts are shared (unused names, functions called from elsewhere); `A && B || C` is meant as written.
      const quiet = "SC2034,SC2317,SC2015,SC2153,SC2012";
      for (const [name, text] of all) {
        const { stdout } = spawnSync("shellcheck", ["-s", "sh", "-f", "gcc", "-e", quiet, "-"], {
          input: text,
          encoding: "utf8",
        });
        expect(`${name}: ${stdout}`).toBe(`${name}: `);
      }
    },
    120_000,
  );

  it("do nothing when they arrive incomplete", () => {
    for (const name of names) {
      const cut = scripts[name].slice(0, -"main < /dev/null\n".length);
      const { status, stdout } = spawnSync("sh", ["-s"], { input: cut, encoding: "utf8" });
      expect({ name, status, stdout }).toEqual({ name, status: 0, stdout: "" });
    }
  });
});

describe("the copies that machines in pull mode run on themselves", () => {
  it.each(Object.entries(PULL_PROTOCOL))("are these scripts (npm run pull-protocol): %s", (name, text) => {
    const copy = new URL(`../../flake/modules/pull/protocol/${name}.sh`, import.meta.url);
    expect(readFileSync(copy, "utf8")).toBe(text);
  });
});

describe("identify", () => {
  it("reads back any script with any parameters", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("it's", "a\nB=c\n", "# x", "''", "\\'"),
    );
    const parameters = fc.dictionary(fc.stringMatching(/^[A-Z][A-Z0-9_]{0,8}$/), text);
    fc.assert(
      fc.property(fc.constantFrom(...names), parameters, (name, given) => {
        fc.pre(Object.values(given).every((v) => !v.includes("\0")));
        expect(identify(withParameters(scripts[name], given))).toEqual({ name, parameters: { ...given } });
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["another command", "echo hello\n"],
    ["a changed script", scripts.probe.replace("hostname", "hostnam")],
    ["a script with a tail", `${scripts.probe}reboot\n`],
    ["a script with a head", `reboot\n${scripts.probe}`],
    ["an unknown name", scripts.probe.replace("# macula-fleet/1 probe", "# macula-fleet/1 constructor")],
  ])("refuses %s", (_, text) => {
    expect(identify(text)).toBeNull();
  });
});
