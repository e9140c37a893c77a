import net from "node:net";
import type { Duplex } from "node:stream";
import ssh2, { type AnyAuthMethod, type Client, type ClientChannel } from "ssh2";
import { FleetError } from "../errors.ts";
import { closedEarly, connectFailure, forwardFailure, type Stage, timedOut } from "./connect-failure.ts";
import { fingerprint } from "./host-key.ts";
import { decide, hostKeyAlgorithms, type Trust } from "./host-trust.ts";
import type { AuthAttempt } from "./identity.ts";
import type { ResolvedHop, ResolvedTarget } from "./resolved.ts";

const KEEPALIVE = { keepaliveInterval: 15_000, keepaliveCountMax: 3 };
/** How long closing waits for the other side's goodbye, ms. */
const GOODBYE_MS = 500;

export interface LinkRequest {
  readonly hop: ResolvedHop;
  readonly target: ResolvedTarget;
  readonly trust: Trust;
  readonly attempts: readonly AuthAttempt[];
  /** The bastion to go through; absent: a TCP connection from here. */
  readonly through?: Link;
  /** Writes down a key trusted on first use; called after the host proved it, before the login. */
  readonly record: (blob: Buffer) => Promise<void>;
  readonly signal: AbortSignal;
}

/** One authenticated SSH connection to one hop. */
export class Link {
  readonly hop: ResolvedHop;
  readonly hostKeyFingerprint: string;
  /** Resolves when the connection is gone. */
  readonly gone: Promise<void>;
  readonly #client: Client;
  readonly #socket: Duplex;
  readonly #watchers = new Set<(reason: Error | undefined) => void>();
  #closed = false;
  #lastError: Error | undefined;

  constructor(hop: ResolvedHop, hostKeyFingerprint: string, client: Client, socket: Duplex) {
    this.hop = hop;
    this.hostKeyFingerprint = hostKeyFingerprint;
    this.#client = client;
    this.#socket = socket;
    client.on("error", (error) => {
      this.#lastError = error;
    });
    this.gone = new Promise((resolve) => {
      client.once("close", () => {
        this.#onGone();
        resolve();
      });
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Calls `watcher` when the connection goes, with the reason if there is one, until disposed. (Thousands of
   * commands hanging on `gone` would keep their output in memory as long as the connection lasts.)
   */
  watch(watcher: (reason: Error | undefined) => void): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => this.#watchers.delete(watcher) };
  }

  /**
   * Starts a command; rejects when the host opens no channel. `attach` is called before ssh2 handles the next
   * packet: awaiting the channel would miss the output and exit status of a command that ends at once.
   */
  exec(line: string, attach: (channel: ClientChannel) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.exec(line, (error, channel) => {
        if (error !== undefined) return reject(error);
        attach(channel);
        resolve();
      });
    });
  }

  /** A connection the hop makes on our behalf. */
  forward(address: string, port: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      this.#client.forwardOut("127.0.0.1", 0, address, port, (error, channel) =>
        error === undefined ? resolve(channel) : reject(error),
      );
    });
  }

  /** Says goodbye, then cuts; resolves when the connection is gone. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#client.end();
    const patience = setTimeout(() => this.#socket.destroy(), GOODBYE_MS);
    // A forwarded socket never closes once its bastion hangs: do not wait for it longer than for a goodbye.
    const gaveUp = new Promise((resolve) => setTimeout(resolve, 2 * GOODBYE_MS).unref());
    await Promise.race([this.gone, gaveUp]);
    clearTimeout(patience);
    this.#onGone();
  }

  #onGone(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher(this.#lastError);
    this.#watchers.clear();
  }
}

/** Connects to one hop within the target's deadline. Whatever goes wrong, nothing stays open. */
export async function connectLink(request: LinkRequest): Promise<Link> {
  const { hop, target, signal } = request;
  signal.throwIfAborted();
  const attempt = new Attempt(request);
  const deadline = setTimeout(() => {
    attempt.fail(timedOut(hop, attempt.stage, target.connectTimeoutMs));
  }, target.connectTimeoutMs);
  const onAbort = () => attempt.fail(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await attempt.result();
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener("abort", onAbort);
  }
}

/** One try to connect: collects what ssh2 tells by callbacks and decides once, for success or failure. */
class Attempt {
  stage: Stage = "reaching the address";
  readonly #request: LinkRequest;
  readonly #outcome = Promise.withResolvers<Link>();
  readonly #client = new ssh2.Client();
  #socket: Duplex | undefined;
  #hostKey: Buffer | undefined;
  #recorded: Promise<void> = Promise.resolve();
  #mustRecord = false;
  #settled = false;
  /** Problems after which ssh2 goes on with the next key. */
  readonly #notes: string[] = [];
  #accepted: readonly string[] = [];
  #partial = false;

  constructor(request: LinkRequest) {
    this.#request = request;
    // The caller awaits `result` a moment later; a failure before that must not count as unhandled.
    this.#outcome.promise.catch(() => undefined);
  }

  fail(reason: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#socket?.destroy();
    this.#outcome.reject(reason);
  }

  async result(): Promise<Link> {
    this.#connect().catch((error: unknown) => this.fail(error));
    return this.#outcome.promise;
  }

  async #connect(): Promise<void> {
    const { hop, trust } = this.#request;
    const socket = await this.#openSocket();
    this.#socket = socket;
    if (this.#settled) {
      socket.destroy();
      return;
    }
    this.#client
      .on("connect", () => this.#advance("agreeing on keys"))
      .on("handshake", () => this.#onHandshake())
      .on("ready", () => this.#onReady(socket))
      .on("error", (error) => this.#onError(error))
      .on("close", () => this.fail(closedEarly(hop, this.stage)));
    this.#client.connect({
      sock: socket as net.Socket,
      username: hop.user,
      readyTimeout: 0,
      ...KEEPALIVE,
      algorithms: { serverHostKey: hostKeyAlgorithms(trust) },
      hostVerifier: (key: Buffer) => this.#verify(key),
      authHandler: this.#authHandler(),
    });
  }

  /** NODELAY must be set before the handshake: ssh2 never does, and each login would wait 40 ms for an ACK. */
  async #openSocket(): Promise<Duplex> {
    const { hop, through } = this.#request;
    if (through === undefined) {
      const socket = net.connect({ host: hop.address, port: hop.port, noDelay: true });
      // Listening at once: a connect can fail before ssh2 has the socket.
      return socket.on("error", (error) => this.#onError(error));
    }
    try {
      return await through.forward(hop.address, hop.port);
    } catch (error) {
      throw forwardFailure(error instanceof Error ? error : new Error(String(error)), hop, through.hop);
    }
  }

  #advance(stage: Stage): void {
    this.stage = stage;
  }

  /** Called on every key exchange, also later ones, which must present the same key. */
  #verify(blob: Buffer): boolean {
    if (this.#hostKey !== undefined) return this.#hostKey.equals(blob);
    try {
      const { trust, hop, target } = this.#request;
      this.#mustRecord = decide(blob, trust, hop, target) === "record";
      this.#hostKey = Buffer.from(blob);
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  #onHandshake(): void {
    if (this.#settled || this.stage === "logging in") return;
    this.#advance("logging in");
    if (!this.#mustRecord || this.#hostKey === undefined) return;
    this.#recorded = this.#request.record(this.#hostKey);
    this.#recorded.catch((error: unknown) => this.fail(error));
  }

  #onReady(socket: Duplex): void {
    const done = () => {
      if (this.#settled || this.#hostKey === undefined) return;
      this.#settled = true;
      this.#client.removeAllListeners();
      this.#outcome.resolve(new Link(this.#request.hop, fingerprint(this.#hostKey), this.#client, socket));
    };
    this.#recorded.then(done, () => undefined);
  }

  #onError(error: Error & { level?: string }): void {
    const { hop } = this.#request;
    if (error.level === "agent" || /^Error signing/.test(error.message)) {
      this.#notes.push(error.message);
    } else if (error.level === "client-authentication") {
      this.fail(this.#refused());
    } else {
      this.fail(connectFailure(error, hop, this.stage));
    }
  }

  #authHandler() {
    const { attempts, hop } = this.#request;
    const left = [...attempts];
    return (accepted: string[] | null, partial: boolean | null, next: (method: AnyAuthMethod) => void) => {
      if (accepted !== null) this.#accepted = accepted;
      if (partial === true) this.#partial = true;
      const attempt = left.shift();
      if (attempt === undefined) {
        this.fail(this.#refused());
        return;
      }
      const { description: _, ...method } = attempt;
      next({ ...method, username: hop.user });
    };
  }

  #refused(): FleetError {
    const { attempts, hop } = this.#request;
    const tried = attempts.map((attempt) => attempt.description).join(", ");
    const accepts = this.#accepted.length === 0 ? "" : `; it accepts: ${this.#accepted.join(", ")}`;
    const notes = this.#notes.length === 0 ? "" : ` (${this.#notes.join("; ")})`;
    const message = this.#partial
      ? `${hop.label}: the key was accepted, but the host wants a second factor${accepts}`
      : `${hop.label}: login refused; tried ${tried}${notes}${accepts}`;
    return new FleetError("auth-refused", message, {
      hint: `Add the public key to ~${hop.user}/.ssh/authorized_keys there (ssh-copy-id -p ${hop.port} ${hop.user}@${hop.address}), or correct user and identityFile.`,
      data: { role: hop.role, accepts: this.#accepted },
    });
  }
}
