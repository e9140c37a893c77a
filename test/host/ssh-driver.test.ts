import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import type { Activation } from "../../src/host/driver.ts";
import { identify } from "../../src/host/scripts.ts";
import { createSshDriver } from "../../src/host/ssh-driver.ts";
import type { Host } from "../../src/inventory/model.ts";
import type { Command } from "../../src/kernel/shell.ts";
import type { ClosureSource } from "../../src/nix/closures.ts";
import type { Completed, Session, Target } from "../../src/transport/transport.ts";
import { aHost } from "../support/fleet.ts";

const signal = new AbortController().signal;
const path = (c: string) => `/nix/store/${c.repeat(32)}-${c}`;
const a: Activation = {
  rollout: "r-1",
  attempt: 1,
  fence: 1,
  from: path("f"),
  to: path("t"),
  mode: "test",
  confirmTimeoutMs: 1000,
};

interface Asked {
  readonly line: string;
  readonly script: string | undefined;
  readonly fresh: boolean;
}
type Answer = Partial<Completed>;

/** Sessions whose host answers scripts by name; `elevation` answers the question for the way to root. */
function scripted(answers: Readonly<Record<string, Answer>>, elevation = "root") {
  const asked: Asked[] = [];
  const received: Buffer[] = [];
  const session = (fresh: boolean): Session => ({
    hostKeyFingerprint: "SHA256:x",
    async run(command: Command): Promise<Completed> {
      const script = typeof command.stdin === "string" ? identify(command.stdin)?.name : undefined;
      asked.push({ line: command.line, script: script ?? command.label, fresh });
      if (command.label === "receive") {
        for await (const chunk of command.stdin as AsyncIterable<Uint8Array>)
          received.push(Buffer.from(chunk));
      }
      const answer = command.label === "elevation" ? { stdout: `${elevation}\n` } : answers[command.label];
      return { code: 0, stdout: "", stderr: "", ...answer };
    },
    [Symbol.asyncDispose]: async () => undefined,
  });
  const pool = { session: async () => session(false), fresh: async () => session(true) };
  return { pool, asked, received };
}

const closures: ClosureSource = {
  revision: async () => "r",
  build: async () => new Map(),
  disko: async () => new Map(),
  requisites: async () => [
    { path: path("a"), size: 1000 },
    { path: path("b"), size: 2000 },
    { path: path("t"), size: 10 },
  ],
  async *export(paths) {
    for (const p of paths) yield Buffer.from(`${p}\n`);
  },
};
const target = { name: "x", address: "x", port: 22, user: "ops" } as Target;
const driverOn = (pool: ReturnType<typeof scripted>["pool"]) =>
  createSshDriver({ pool, closures, targetOf: () => target });
const json = (data: object): Answer => ({ stdout: JSON.stringify({ schema: 1, ...data }) });

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof FleetError ? error.code : String(error)),
  );

describe("ssh driver", () => {
  it("asks once how to become root and goes on that way", async () => {
    const { pool, asked } = scripted(
      { activate: json({ did: "started" }), commit: json({ did: "committed" }) },
      "doas",
    );
    const driver = driverOn(pool);
    await driver.activate(aHost("x"), a, { signal });
    await driver.commit(aHost("x"), a, { signal });
    expect(asked).toEqual([
      { line: "sh -s", script: "elevation", fresh: false },
      { line: "doas -n sh -s", script: "activate", fresh: false },
      { line: "doas -n sh -s", script: "commit", fresh: true },
    ]);
  });

  it("believes the inventory about it", async () => {
    const { pool, asked } = scripted({ activate: json({ did: "started" }) });
    const host: Host = { ...aHost("x"), ssh: { ...aHost("x").ssh, elevate: "sudo" } };
    await driverOn(pool).activate(host, a, { signal });
    expect(asked.map((x) => x.line)).toEqual(["sudo -n sh -s"]);
  });

  it("says so when there is no way to root", async () => {
    const { pool } = scripted({}, "none");
    expect(await codeOf(driverOn(pool).activate(aHost("x"), a, { signal }))).toBe("elevation-refused");
  });

  it("copies only what is missing, dependencies first, compressed", async () => {
    const { pool, asked, received } = scripted({
      missing: json({ missing: [path("t"), path("b")], storeFree: 1000 }),
      stage: json({ did: "staged", rebootNeeded: true }),
    });
    const staged = await driverOn(pool).stage(aHost("x"), a, { signal });
    const wire = Buffer.concat(received);
    expect(gunzipSync(wire).toString()).toBe(`${path("b")}\n${path("t")}\n`);
    expect(staged).toEqual({ bytes: wire.length, paths: 2, rebootNeeded: true });
    expect(asked.map((x) => x.script)).toEqual(["elevation", "missing", "receive", "stage"]);
  });

  it("does not begin a copy that cannot fit", async () => {
    const { pool, asked } = scripted({ missing: json({ missing: [path("b")], storeFree: 1 }) });
    expect(await codeOf(driverOn(pool).stage(aHost("x"), a, { signal }))).toBe("host-disk-full");
    expect(asked.map((x) => x.script)).not.toContain("receive");
  });

  it.each([
    [{ code: 41, stderr: "macula-fleet: yours is 1\n" }, "host-fenced"],
    [{ code: 42 }, "host-busy"],
    [{ code: 43 }, "host-held"],
    [{ code: 44 }, "plan-stale"],
    [{ code: 45 }, "copy-failed"],
    [{ code: 47 }, "host-unsuitable"],
    [{ code: 1, stderr: "error: writing to file: No space left on device\n" }, "host-disk-full"],
    [{ code: 1, stderr: "sudo: a password is required\n" }, "elevation-refused"],
    [{ code: 127, stderr: "sh: not found\n" }, "host-protocol"],
    [{ code: null, signal: "KILL" }, "host-protocol"],
    [{ stdout: "Welcome!\n" }, "host-protocol"],
    [{ stdout: '{"schema":2,"did":"x"}' }, "host-protocol"],
  ] as const)("maps %j to %s", async (answer, code) => {
    const { pool } = scripted({ activate: answer });
    expect(await codeOf(driverOn(pool).activate(aHost("x"), a, { signal }))).toBe(code);
  });

  it("passes on the host's own words", async () => {
    const { pool } = scripted({
      activate: { code: 43, stderr: "motd\nmacula-fleet: held by ada: repairs\n" },
    });
    await expect(driverOn(pool).activate(aHost("x"), a, { signal })).rejects.toThrow(
      "x: held by ada: repairs",
    );
  });
});
