import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { pinnedKeys, sshArguments } from "../../src/cli/ssh-arguments.ts";
import { targetFor } from "../support/target.ts";

const settingOf = (args: readonly string[], name: string) =>
  args.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1);

describe("ssh arguments", () => {
  test("reads no configuration nobody named, and checks keys strictly", () => {
    const args = sshArguments(targetFor({ port: 2222, user: "ops", address: "10.0.0.3" }));
    expect(args.slice(0, 4)).toEqual(["-F", "none", "-p", "2222"]);
    expect(settingOf(args, "StrictHostKeyChecking")).toBe("yes");
    expect(args.slice(-2)).toEqual(["--", "ops@10.0.0.3"]);
  });

  test("keys the inventory pins are the only ones that count", () => {
    const target = targetFor({
      port: 2222,
      hostKeys: ["ssh-ed25519 AAAA"],
      knownHostsFile: "/home/me/known",
    });
    expect(pinnedKeys(target)).toBe("[127.0.0.1]:2222 ssh-ed25519 AAAA\n");
    expect(settingOf(sshArguments(target, { pinned: "/tmp/pins" }), "UserKnownHostsFile")).toBe("/tmp/pins");
    expect(pinnedKeys(targetFor({}))).toBe("");
  });

  test("file names may hold blanks and per cents", () => {
    const args = sshArguments(targetFor({ knownHostsFile: "/home/a b/100%" }));
    expect(settingOf(args, "UserKnownHostsFile")).toBe('"/home/a b/100%%"');
  });

  test("each bastion keeps its own port, user and key", () => {
    const hop = (address: string, port: number, identityFile: string) => ({
      address,
      port,
      user: "jump",
      hostKeys: [],
      identityFile,
    });
    const via = [hop("outer.example", 22, "/keys/outer"), hop("inner.example", 2200, "/keys/inner")];
    const proxy = settingOf(sshArguments(targetFor({ via })), "ProxyCommand") ?? "";
    expect(proxy).toMatch(/^ssh -F none -p 2200 -i \/keys\/inner /);
    expect(proxy).toMatch(/-W '\[%h\]:%p' -- jump@inner\.example$/);
    expect(proxy).toContain("-p 22 -i /keys/outer");
    expect(proxy).toContain("[%%h]:%%p");
    // A shell finds the same words again.
    const words = execFileSync("sh", ["-c", `printf '%s\\n' ${proxy}`], { encoding: "utf8" }).split("\n");
    expect(words).toContain("[%h]:%p");
    expect(words.filter((w) => w.startsWith("ProxyCommand=ssh "))).toHaveLength(1);
  });
});
