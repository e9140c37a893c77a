import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { expect, it } from "vitest";
import { describeNix, FLAKE, filesBelow, HERE, instantiate } from "./nix.ts";

const nixFiles = [...filesBelow(FLAKE, ".nix"), ...filesBelow(HERE, ".nix")];

describeNix("files of the flake", () => {
  it("parse, every one", () => {
    expect(nixFiles.length).toBeGreaterThan(35);
    const run = instantiate(["--parse", ...nixFiles]);
    expect(run.ok, run.stderr).toBe(true);
  });

  it("hold no deprecated input, no password, no way around signatures", () => {
    for (const file of nixFiles.filter((path) => path.startsWith(FLAKE))) {
      const text = readFileSync(file, "utf8").replace(/#.*$/gm, "");
      const where = relative(FLAKE, file);
      expect(text, where).not.toMatch(/nixos-generators|numtide|nixos-24\.05|nixos\.wiki/);
      expect(text, where).not.toMatch(/initialPassword|initialHashedPassword|\bpassword\s*=/);
      expect(text, where).not.toMatch(/require-sigs\s*=\s*false|delete-older-than/);
      // The string would be the token, readable by everybody.
      expect(text, where).not.toMatch(/\btoken\s*=\s*"/);
    }
  });

  it.each(filesBelow(FLAKE, ".sh").map((path) => [relative(FLAKE, path), path]))(
    "%s is a shell script without mistakes of syntax",
    (_, path) => {
      const run = spawnSync("sh", ["-n", path], { encoding: "utf8" });
      expect(run.stderr).toBe("");
      expect(run.status).toBe(0);
    },
  );

  // Their builds run it, and fail for anything it says.
  it.skipIf(spawnSync("shellcheck", ["--version"]).status !== 0)("satisfy shellcheck", () => {
    // The host protocol is no program of a build; test/host looks at it.
    const own = filesBelow(FLAKE, ".sh").filter((path) => !path.includes("/pull/protocol/"));
    const run = spawnSync("shellcheck", ["-s", "bash", ...own], { encoding: "utf8" });
    expect(run.stdout).toBe("");
  });
});
