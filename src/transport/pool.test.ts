import { describe, expect, test } from "vitest";
import { FleetError } from "../errors.ts";
import { SessionPool } from "./pool.ts";
import type { Completed, Session, Target, Transport } from "./transport.ts";

const { signal } = new AbortController();
const command = { line: "true", label: "true" };

function target(name: string): Target {
  return {
    name,
    address: name,
    port: 22,
    user: "root",
    hostKeys: [],
    via: [],
    hostKeyPolicy: "strict",
    connectTimeoutMs: 1,
  };
}

/** A transport that counts, and opens only when told to. */
class FakeTransport implements Transport {
  opened = 0;
  openNow = 0;
  most = 0;
  gate: Promise<void> = Promise.resolve();
  aborted = 0;
  readonly sessions: FakeSession[] = [];

  async open(wanted: Target, options: { readonly signal: AbortSignal }): Promise<Session> {
    this.opened++;
    await Promise.race([this.gate, once(options.signal)]);
    if (options.signal.aborted) {
      this.aborted++;
      throw options.signal.reason;
    }
    if (wanted.name === "down") throw new FleetError("unreachable", "down");
    this.most = Math.max(this.most, ++this.openNow);
    const session = new FakeSession(() => this.openNow--);
    this.sessions.push(session);
    return session;
  }
}

class FakeSession implements Session {
  readonly hostKeyFingerprint = "SHA256:fake";
  closed = false;
  broken = false;
  readonly #onClose: () => void;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  async run(): Promise<Completed> {
    if (this.broken || this.closed) throw new FleetError("connection-lost", "gone");
    return { code: 0, stdout: "", stderr: "" };
  }

  async [Symbol.asyncDispose]() {
    if (!this.closed) this.#onClose();
    this.closed = true;
  }
}

function once(aborting: AbortSignal): Promise<void> {
  return new Promise((resolve) => aborting.addEventListener("abort", () => resolve(), { once: true }));
}

describe("a session pool", () => {
  test("opens one connection for callers at the same time and after one another", async () => {
    const transport = new FakeTransport();
    await using pool = new SessionPool({ transport });
    const sessions = await Promise.all([1, 2, 3].map(() => pool.session(target("a"), signal)));
    for (const session of sessions) await session[Symbol.asyncDispose]();
    await using again = await pool.session(target("a"), signal);
    expect(await again.run(command, { signal })).toMatchObject({ code: 0 });
    expect(transport.opened).toBe(1);
  });

  test("fresh connections are new and closed when disposed", async () => {
    const transport = new FakeTransport();
    await using pool = new SessionPool({ transport });
    await using _shared = await pool.session(target("a"), signal);
    const fresh = await pool.fresh(target("a"), signal);
    expect([transport.opened, transport.openNow]).toEqual([2, 2]);
    await fresh[Symbol.asyncDispose]();
    await fresh[Symbol.asyncDispose]();
    expect(transport.openNow).toBe(1);
  });

  test("does not reuse a connection that was lost", async () => {
    const transport = new FakeTransport();
    await using pool = new SessionPool({ transport });
    const first = await pool.session(target("a"), signal);
    const inner = transport.sessions[0];
    if (inner !== undefined) inner.broken = true;
    await expect(first.run(command, { signal })).rejects.toMatchObject({ code: "connection-lost" });
    await using second = await pool.session(target("a"), signal);
    expect(await second.run(command, { signal })).toMatchObject({ code: 0 });
    await first[Symbol.asyncDispose]();
    expect([transport.opened, transport.openNow]).toEqual([2, 1]);
  });

  test("never has more than maxOpen connections, and takes the place of idle ones", async () => {
    const transport = new FakeTransport();
    await using pool = new SessionPool({ transport, maxOpen: 3 });
    const names = Array.from({ length: 20 }, (_, n) => `host-${n}`);
    await Promise.all(
      names.map(async (name) => {
        await using session = await pool.session(target(name), signal);
        await session.run(command, { signal });
      }),
    );
    expect(transport.most).toBe(3);
    expect(transport.opened).toBe(20);
  });

  test("a failed opening is not remembered and takes no place", async () => {
    const transport = new FakeTransport();
    await using pool = new SessionPool({ transport, maxOpen: 1, maxFresh: 1 });
    for (let i = 0; i < 3; i++) {
      await expect(pool.session(target("down"), signal)).rejects.toMatchObject({ code: "unreachable" });
      await expect(pool.fresh(target("down"), signal)).rejects.toMatchObject({ code: "unreachable" });
    }
    await using session = await pool.session(target("up"), signal);
    expect(session.hostKeyFingerprint).toBe("SHA256:fake");
  });

  test("a caller that gives up does not disturb another; the last one aborts the opening", async () => {
    const transport = new FakeTransport();
    transport.gate = new Promise(() => undefined);
    await using pool = new SessionPool({ transport });
    const [first, second] = [new AbortController(), new AbortController()];
    const waiting = [pool.session(target("a"), first.signal), pool.session(target("a"), second.signal)];
    first.abort(new Error("first"));
    await expect(waiting[0]).rejects.toThrow("first");
    expect(transport.aborted).toBe(0);
    second.abort(new Error("second"));
    await expect(waiting[1]).rejects.toThrow("second");
    await expect.poll(() => transport.aborted).toBe(1);
    expect(transport.opened).toBe(1);
  });

  test("closes idle connections after a while", async () => {
    const transport = new FakeTransport();
    await using pool = new SessionPool({ transport, idleMs: 5 });
    await (await pool.session(target("a"), signal))[Symbol.asyncDispose]();
    await expect.poll(() => transport.openNow).toBe(0);
  });

  test("closing it closes everything and refuses more", async () => {
    const transport = new FakeTransport();
    const pool = new SessionPool({ transport });
    await pool.session(target("a"), signal);
    await pool.fresh(target("a"), signal);
    await pool[Symbol.asyncDispose]();
    expect(transport.openNow).toBe(0);
    await expect(pool.session(target("a"), signal)).rejects.toMatchObject({ code: "interrupted" });
  });
});
