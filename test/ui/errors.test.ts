import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { describeError, type ErrorContext } from "../../src/ui/errors.ts";

const CONTEXT: ErrorContext = { color: false, version: "1.2.3", platform: "v24.0.0 linux x64" };

it("says what happened, where, why and what to do", () => {
  const error = new FleetError("key-file-missing", "there is no key for node-03", {
    hint: "set ssh.identityFile",
    data: { host: "node-03", file: "keys/fleet", tried: ["a", "b"] },
    cause: new Error("ENOENT", { cause: "no such directory" }),
  });
  const { text, exit } = describeError(error, CONTEXT);
  expect(exit).toBe(64);
  expect(text.split("\n")).toEqual([
    "error: there is no key for node-03  [key-file-missing]",
    "  host: node-03",
    "  file: keys/fleet",
    "  why: ENOENT",
    "  why: no such directory",
    "  fix: set ssh.identityFile",
  ]);
});

it("keeps the lines of what another program said", () => {
  const error = new FleetError(
    "build-failed",
    "the flake cannot be read:\nerror: attribute 'x' missing\n  at 3:4",
  );
  expect(describeError(error, CONTEXT).text.split("\n")).toEqual([
    "error: the flake cannot be read:  [build-failed]",
    "  error: attribute 'x' missing",
    "    at 3:4",
  ]);
});

it("keeps stacks of expected errors for -v", () => {
  const error = new FleetError("usage", "no");
  expect(describeError(error, CONTEXT).text).not.toContain("errors.test");
  expect(describeError(error, { ...CONTEXT, verbose: true }).text).toContain("errors.test");
});

it("says that a bug is one, with stack, versions and how to report it", () => {
  const { text, exit } = describeError(new TypeError("x is undefined"), CONTEXT);
  expect(exit).toBe(70);
  expect(text).toMatch(/^bug: TypeError: x is undefined\n +at /);
  expect(text).toContain("macula-fleet 1.2.3, node v24.0.0 linux x64");
  expect(text).toContain("Please report it");
});

it.each([["a string"], [undefined], [{ odd: 1 }]])("survives %j being thrown", (thrown) => {
  expect(describeError(thrown, CONTEXT).exit).toBe(70);
});

it("does not take an interruption for a bug", () => {
  const { text, exit } = describeError(new DOMException("stop", "AbortError"), CONTEXT);
  expect(exit).toBe(130);
  expect(text).not.toContain("bug");
});

it("passes nothing a host said on to the terminal but text", () => {
  const error = new FleetError("command-failed", "host said \u001b[2Jboo\r\n");
  expect(describeError(error, CONTEXT).text).toBe("error: host said boo  [command-failed]");
  const colored = describeError(error, { ...CONTEXT, color: true }).text;
  expect(colored).toContain("\u001b[31m");
  expect(stripVTControlCharacters(colored)).toContain("host said boo");
});
