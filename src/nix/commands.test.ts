import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as commands from "./commands.ts";

const all: readonly commands.NixCommand[] = [
  commands.version(),
  commands.evaluate("git+file:///f?rev=abc", ["a", "b"]),
  commands.realise(["/nix/store/x.drv"]),
  commands.printInvalid(["/nix/store/x"]),
  commands.requisites(["/nix/store/x"]),
  commands.pathInfo(["/nix/store/x"], { recursive: true, closure: true }),
  commands.exportPaths(["/nix/store/x"]),
  commands.diffClosures("/nix/store/x", "/nix/store/y"),
  commands.copyTo("file:///cache", ["/nix/store/x"]),
  commands.flakeMetadata("./f"),
];

describe("commands", () => {
  it("use nothing Nix 2.8 lacks", () => {
    for (const { args } of all) {
      expect(args).not.toContain("--print-out-paths");
      expect(args.join(" ")).not.toMatch(/\.drv\^/);
    }
  });

  it("enable the features they need on a Nix that has not", () => {
    for (const { file, args } of all) {
      if (file === "nix" && args[0] !== "--version") expect(args[1]).toBe("nix-command flakes");
    }
  });

  it("evaluate every host in one process, without writing a lock file", () => {
    const { args } = commands.evaluate("git+file:///f?rev=abc", ["a", "b"], { options: ["--offline"] });
    expect(args).toContain("git+file:///f?rev=abc#nixosConfigurations");
    expect(args).toContain("--no-write-lock-file");
    expect(args).toContain("--offline");
    expect(args.at(-1)).toContain('[ "a" "b" ]');
  });

  it("cannot take a revision for an option", () => {
    const { args } = commands.gitCommit("/f", "--all");
    expect(args.slice(args.indexOf("--end-of-options"))).toEqual(["--end-of-options", "--all^{commit}"]);
  });
});

describe("nixString", () => {
  it("has no way out of the quotes", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const literal = commands.nixString(text);
        expect(decode(literal.slice(1, -1))).toBe(text);
      }),
      { examples: [['"'], ["\\"], ["$" + "{x}"], ["$$" + "{x}"], ["\\$" + "{x}"], ["$"]] },
    );
  });
});

/** A Nix string's content as the lexer reads it; throws where the string would end or interpolate. */
function decode(body: string): string {
  let text = "";
  for (let i = 0; i < body.length; i++) {
    const c = body[i];
    if (c === "\\") text += body[++i] ?? "";
    else if (c === '"' || (c === "$" && body[i + 1] === "{")) throw new Error(`unquoted: ${body}`);
    else if (c === "$" && body[i + 1] === "$") {
      // The lexer takes `$$` as two plain characters, so a `{` after them interpolates nothing.
      text += "$$";
      i++;
    } else text += c;
  }
  return text;
}
