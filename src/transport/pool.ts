import { FleetError } from "../errors.ts";
import type { Command } from "../kernel/shell.ts";
import { type Lease, Shared } from "./shared.ts";
import { Slots } from "./slots.ts";
import type { Completed, RunOptions, Session, Target, Transport } from "./transport.ts";

export interface SessionPoolOptions {
  readonly transport: Transport;
  /** Reused connections open at once; default 200. Further hosts wait, or take the place of an idle one. */
  readonly maxOpen?: number;
  /** Fresh connections open at once; default 32. Counted apart, so that confirming never waits for a reused one. */
  readonly maxFresh?: number;
  /** A connection nobody uses is closed after this many ms; default 60 000. */
  readonly idleMs?: number;
}

/** A connection together with the place it takes in the pool. */
interface Pooled {
  readonly session: Session;
  readonly slot: Disposable;
  broken: boolean;
}

/** One connection per host, reused from step to step; and new ones where the point is that they are new. */
export class SessionPool implements AsyncDisposable {
  readonly #transport: Transport;
  readonly #slots: Slots;
  readonly #freshSlots: Slots;
  readonly #shared: Shared<Pooled>;
  readonly #fresh = new Set<Session>();
  readonly #closing = new AbortController();

  constructor({ transport, maxOpen = 200, maxFresh = 32, idleMs = 60_000 }: SessionPoolOptions) {
    this.#transport = transport;
    this.#slots = new Slots(maxOpen);
    this.#freshSlots = new Slots(maxFresh);
    this.#shared = new Shared({
      idleMs,
      close: async ({ session, slot }) => {
        using _ = slot;
        await session[Symbol.asyncDispose]();
      },
      isBroken: ({ session, broken }) => broken || session.closed === true,
    });
  }

  /** The host's connection, opened if need be. Disposing the result gives it back to the pool. */
  async session(target: Target, signal: AbortSignal): Promise<Session> {
    this.#closing.signal.throwIfAborted();
    const open = (shared: AbortSignal) => this.#open(target, shared);
    const lease = await this.#shared.lease(JSON.stringify(target), open, signal);
    return new LeasedSession(lease, async () => {
      await lease.release();
      if (this.#slots.wanted) await this.#shared.evictIdle();
    });
  }

  /** Always a new TCP connection to the host, whatever is open already. Disposing the result closes it. */
  async fresh(target: Target, signal: AbortSignal): Promise<Session> {
    const until = AbortSignal.any([signal, this.#closing.signal]);
    const slot = await this.#freshSlots.acquire(until);
    try {
      const session = await this.#transport.open(target, { signal: until });
      const counted = new FreshSession(session, async () => {
        using _ = slot;
        this.#fresh.delete(counted);
        await session[Symbol.asyncDispose]();
      });
      this.#fresh.add(counted);
      return counted;
    } catch (error) {
      slot[Symbol.dispose]();
      throw error;
    }
  }

  /** Closes everything, also what is in use, and refuses new sessions. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new FleetError("interrupted", "the connections are being closed"));
    await Promise.all([
      this.#shared[Symbol.asyncDispose](),
      ...[...this.#fresh].map((session) => session[Symbol.asyncDispose]()),
    ]);
  }

  async #open(target: Target, signal: AbortSignal): Promise<Pooled> {
    if (this.#slots.full) await this.#shared.evictIdle();
    const slot = await this.#slots.acquire(signal);
    try {
      return { session: await this.#transport.open(target, { signal }), slot, broken: false };
    } catch (error) {
      slot[Symbol.dispose]();
      throw error;
    }
  }
}

/** A pooled connection in the hands of one step: a lost connection marks it as not to be reused. */
class LeasedSession implements Session {
  readonly #lease: Lease<Pooled>;
  readonly #giveBack: () => Promise<void>;

  constructor(lease: Lease<Pooled>, giveBack: () => Promise<void>) {
    this.#lease = lease;
    this.#giveBack = giveBack;
  }

  get hostKeyFingerprint(): string {
    return this.#lease.value.session.hostKeyFingerprint;
  }

  get closed(): boolean {
    return this.#lease.value.broken || this.#lease.value.session.closed === true;
  }

  async run(command: Command, options: RunOptions): Promise<Completed> {
    try {
      return await this.#lease.value.session.run(command, options);
    } catch (error) {
      if (error instanceof FleetError && error.code === "connection-lost") this.#lease.value.broken = true;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#giveBack();
  }
}

class FreshSession implements Session {
  readonly #session: Session;
  readonly #close: () => Promise<void>;
  #closed = false;

  constructor(session: Session, close: () => Promise<void>) {
    this.#session = session;
    this.#close = close;
  }

  get hostKeyFingerprint(): string {
    return this.#session.hostKeyFingerprint;
  }

  get closed(): boolean {
    return this.#closed || this.#session.closed === true;
  }

  run(command: Command, options: RunOptions): Promise<Completed> {
    return this.#session.run(command, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#close();
  }
}
