/** The programs of a host's owner, asked by the real script in a real shell. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toFailure } from "../../src/errors.ts";
import { refusalOf } from "../../src/host/refusals.ts";
import { scripts } from "../../src/host/scripts.ts";

const part = (name: string) =>
  readFileSync(new URL(`../../src/host/scripts/${name}.sh`, import.meta.url), "utf8");

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "consent-"));
  for (const name of ["consent.d", "run"]) mkdirSync(join(dir, name));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function program(name: string, text: string, mode = 0o755): void {
  writeFileSync(join(dir, "consent.d", name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(dir, "consent.d", name), mode);
}

/** What the controller makes of it; `asked` or `nobody asked` where there is consent. */
function ask(confirmSeconds = 180, eachSeconds = 2) {
  const text = [
    `FROM=/nix/store/a TO=/nix/store/b MODE=test CONFIRM_TIMEOUT=${confirmSeconds}`,
    part("prelude"),
    part("consent").replace("/etc/macula-fleet/consent.d", join(dir, "consent.d")),
    `CONSENT_SECONDS=${eachSeconds}`,
    `RUN_DIR=${join(dir, "run")}`,
    'main() { exec 9> "$RUN_DIR/lock"; flock 9; if ask_owners "$(uptime_s)"; then echo asked; else echo nobody asked; fi; }',
    "main < /dev/null",
  ].join("\n");
  const { status, stdout, stderr } = spawnSync("sh", ["-s"], { input: text, encoding: "utf8", cwd: dir });
  if (status === 0) return stdout.trim();
  const { code, message, transient, askAgainMs } = toFailure(
    refusalOf("n1", "activate", { code: status, stdout, stderr }),
  );
  expect({ code, transient }).toEqual({ code: "host-not-now", transient: true });
  return { message, askAgainMs, ...JSON.parse(stdout) };
}

describe("consent.d", () => {
  it("is asked by activate alone: nothing that goes back or makes permanent waits for it", () => {
    const asking = Object.entries(scripts).filter(([, text]) => text.includes("ask_owners"));
    expect(asking.map(([name]) => name)).toEqual(["activate"]);
    const programs = scripts.activate.split("MACULA_FLEET_PROGRAM").filter((_, i) => i % 2 === 1);
    expect(programs).toHaveLength(6 / 2);
    for (const text of programs) expect(text).not.toContain("ask_owners");
  });

  it("that is empty, or not there, agrees", () => {
    expect(ask()).toBe("nobody asked");
    rmSync(join(dir, "consent.d"), { recursive: true });
    expect(ask()).toBe("nobody asked");
  });

  it("passes over what is no program: not executable, a backup, a directory", () => {
    program("readme", "exit 21", 0o644);
    program("shop~", "exit 21");
    mkdirSync(join(dir, "consent.d", "old"));
    expect(ask()).toBe("nobody asked");
  });

  it("is asked in the order of names, up to the first that does not agree, and told what is planned", () => {
    const order = join(dir, "order");
    program("20-b", `echo "b $MACULA_FROM $MACULA_TO $MACULA_MODE $PWD" >> ${order}; exit 21`);
    program("10-a", `echo a >> ${order}`);
    program("30-c", `echo c >> ${order}`);
    expect(ask()).toMatchObject({ by: "20-b" });
    expect(readFileSync(order, "utf8")).toBe("a\nb /nix/store/a /nix/store/b test /\n");
  });

  it("agrees with exit 0, whatever it prints, and however much", () => {
    program("10-a", "echo until=tomorrow; seq 1 100000; seq 1 100000 >&2");
    expect(ask()).toBe("asked");
  });

  it("says why not, and until when: in seconds", () => {
    const at = Math.floor(Date.now() / 1000) + 3600;
    program("10-shop", `echo "the shop is open"; echo until=${at}; exit 21`);
    const answer = ask();
    expect(answer).toMatchObject({
      by: "10-shop",
      reason: "the shop is open",
      message: expect.stringMatching(
        /^n1: not now: the shop is open \(10-shop\), until \d{4}-\d\d-\d\d \d\d:\d\d \S+$/,
      ),
    });
    expect(answer.askAgainMs).toBeGreaterThan(3_590_000);
    expect(answer.askAgainMs).toBeLessThanOrEqual(3_600_000);
  });

  it.each([
    ["ISO 8601", () => new Date(Date.now() + 600_000).toISOString()],
    ["what date takes", () => "10 minutes"],
  ])("until when: %s, on any line", (_, until) => {
    program("10-shop", `echo "until=${until()}"; echo "it's \\"open\\""; exit 21`);
    const answer = ask();
    expect(answer.reason).toBe('it\'s "open"');
    expect(Math.abs(answer.askAgainMs - 600_000)).toBeLessThan(10_000);
  });

  it("need not say until when, nor why", () => {
    program("10-shop", "exit 21");
    expect(ask()).toMatchObject({
      message: "n1: not now: no reason given (10-shop)",
      askAgainMs: undefined,
      askAgainIn: null,
    });
  });

  it.each([
    ["the past", "until=1000", "n1: not now: open (10-shop)"],
    ["no time", "until=$(date)x", "n1: not now: open (10-shop); until=$(date)x is no time"],
    ["octal", "until=0000000010", "n1: not now: open (10-shop)"],
  ])("an end that is %s is none", (_, line, message) => {
    program("10-shop", `echo open; echo '${line}'; exit 21`);
    expect(ask()).toMatchObject({ message, askAgainMs: undefined });
  });

  it("that fails has not consented, and says so in words of its own", () => {
    program("10-shop", "echo checking; nosuchcommand --x");
    expect(ask().message).toMatch(
      /^n1: its owner's program 10-shop failed \(exit 127\): .*nosuchcommand.*not found$/,
    );
  });

  it("that speaks of a full disk is no full disk", () => {
    program("10-shop", "echo 'No space left on device' >&2; exit 1");
    expect(ask().message).toContain("failed (exit 1): No space left on device");
  });

  it("that is a link to nothing has not consented", () => {
    symlinkSync("/nowhere", join(dir, "consent.d", "10-shop"));
    expect(ask().message).toBe("n1: its owner's program 10-shop is a link to nothing");
  });

  it("that never answers is ended", () => {
    program("10-shop", "echo hm; sleep 300");
    expect(ask().message).toBe("n1: its owner's program 10-shop gave no answer within 2 s");
  });

  it("have a quarter of the confirm timeout for all of them: later, nobody expects the host to change", () => {
    const last = join(dir, "last");
    for (const name of ["10-a", "20-b"]) program(name, "sleep 1.2");
    program("30-c", `sleep 1.2; touch ${last}`);
    expect(ask(180, 10)).toBe("asked");
    rmSync(last);
    // Two seconds, by whole seconds of uptime: how far they come in them is the machine's affair.
    expect(ask(8, 10).message).toMatch(
      /^n1: (its owner's program \S+ gave no answer within [12] s|there was no time left to ask its owner's program \S+)$/,
    );
    expect(existsSync(last)).toBe(false);
  });

  it("keeps neither the lock nor the caller for what it leaves running", () => {
    program("10-shop", `sleep 60 & echo $! > ${join(dir, "pid")}; echo open; exit 21`);
    expect(ask()).toMatchObject({ reason: "open" });
    const pid = Number(readFileSync(join(dir, "pid"), "utf8"));
    const locked = spawnSync("flock", ["-n", join(dir, "run/lock"), "true"]).status;
    process.kill(pid);
    expect(locked).toBe(0);
    expect(existsSync(join(dir, "run/consent"))).toBe(false);
  });

  it("is not killed for a pipe that its own program closes", () => {
    program("10-shop", "yes | head -n 1 > /dev/null && seq 1 100000 | head -n 1");
    expect(ask()).toBe("asked");
  });
});
