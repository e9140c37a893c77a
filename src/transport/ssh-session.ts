import { setTimeout as sleep } from "node:timers/promises";
import type { ClientChannel } from "ssh2";
import { FleetError } from "../errors.ts";
import type { Command } from "../kernel/shell.ts";
import type { Link } from "./link.ts";
import { Capture, DEFAULT_MAX_OUTPUT, heldBack } from "./output.ts";
import { Slots } from "./slots.ts";
import { feed } from "./stdin.ts";
import type { Completed, RunOptions, Session } from "./transport.ts";

/** sshd allows 10 sessions per connection by default (MaxSessions); one that was just closed may still count. */
const PARALLEL_COMMANDS = 8;

/** Reason codes of RFC 4254 §5.1. */
const OPEN_CONNECT_FAILED = 2;
const OPEN_RESOURCE_SHORTAGE = 4;

/** sshd still counts channels it has not cleaned up yet, so a refused channel is asked for again: 5 s in all. */
const OPEN_TRIES = 20;
const OPEN_PAUSE_MS = 25;

/** Commands over one SSH connection; more than eight at once wait for their turn. */
export class SshSession implements Session {
  readonly #link: Link;
  readonly #name: string;
  readonly #onClose: () => Promise<void>;
  #abandoned = false;
  readonly #slots = new Slots(PARALLEL_COMMANDS);

  constructor(name: string, link: Link, onClose: () => Promise<void>) {
    this.#name = name;
    this.#link = link;
    this.#onClose = onClose;
  }

  get hostKeyFingerprint(): string {
    return this.#link.hostKeyFingerprint;
  }

  /** Also true after a command was given up: while it runs on, it takes one of the few places sshd allows. */
  get closed(): boolean {
    return this.#link.closed || this.#abandoned;
  }

  async run(command: Command, options: RunOptions): Promise<Completed> {
    using _slot = await this.#slots.acquire(options.signal);
    const onStopped = () => {
      this.#abandoned = true;
    };
    return await new Running(this.#name, this.#link, command, options, onStopped).result();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#link.close();
    await this.#onClose();
  }
}

/** One command on one channel, from request to exit status. */
class Running {
  readonly #name: string;
  readonly #link: Link;
  readonly #command: Command;
  readonly #options: RunOptions;
  /** Called when the command was given up: it may still be running on the host. */
  readonly #onStopped: () => void;
  readonly #outcome = Promise.withResolvers<Completed>();
  #channel: ClientChannel | undefined;
  #settled = false;

  constructor(name: string, link: Link, command: Command, options: RunOptions, onStopped: () => void) {
    this.#name = name;
    this.#link = link;
    this.#command = command;
    this.#options = options;
    this.#onStopped = onStopped;
  }

  async result(): Promise<Completed> {
    const { signal, timeoutMs } = this.#options;
    const onAbort = () => this.#stop(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => this.#stop(this.#timeout(timeoutMs)), timeoutMs);
    using _watch = this.#link.watch((reason) => this.#stop(this.#lost(reason)));
    this.#start().catch((error: unknown) => this.#stop(error));
    try {
      return await this.#outcome.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #start(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#link.exec(this.#command.line, (channel) => this.#attach(channel));
        break;
      } catch (error) {
        if (this.#settled) return;
        if (!isFull(error) || tries === OPEN_TRIES)
          throw this.#lost(error instanceof Error ? error : undefined);
        await sleep(OPEN_PAUSE_MS * tries);
      }
    }
    if (this.#channel !== undefined) await feed(this.#channel, this.#command.stdin, this.#outcome.promise);
  }

  #attach(channel: ClientChannel): void {
    if (this.#settled) {
      hangUp(channel);
      return;
    }
    this.#channel = channel;
    // ssh2 would close the channel as soon as both streams ended, losing the status of a command that closes
    // its output before it exits.
    channel.destroy = () => channel;
    const { onLine, maxOutput = DEFAULT_MAX_OUTPUT } = this.#options;
    const stdout = new Capture(maxOutput, onLine && ((line) => onLine(line, "stdout")));
    const stderr = new Capture(maxOutput, onLine && ((line) => onLine(line, "stderr")));
    const raw = this.#options.onStdout && heldBack(channel, this.#options.onStdout, (e) => this.#stop(e));
    channel.on("data", (chunk: Buffer) => (raw ? raw.push(chunk) : this.#guard(() => stdout.push(chunk))));
    channel.stderr.on("data", (chunk: Buffer) => this.#guard(() => stderr.push(chunk)));
    channel.on("error", (error: Error) => this.#stop(this.#lost(error)));

    let status: Pick<Completed, "code" | "signal"> | undefined;
    channel.on("exit", (code: number | null, name?: string) => {
      status = name === undefined ? { code } : { code: null, signal: name };
    });
    const closed = Promise.all([once(channel, "close"), once(channel.stderr, "close")]);
    void closed.then(raw?.done).then(() => {
      if (status === undefined) return this.#stop(this.#lost(undefined));
      const final = status;
      this.#guard(() => this.#settle({ ...final, stdout: stdout.end(), stderr: stderr.end() }));
    });
  }

  /** A listener of ours that throws must fail its own command, not the process. */
  #guard(action: () => void): void {
    if (this.#settled) return;
    try {
      action();
    } catch (error) {
      this.#stop(error);
    }
  }

  #settle(completed: Completed): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#outcome.resolve(completed);
  }

  #stop(reason: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#onStopped();
    if (this.#channel !== undefined) hangUp(this.#channel);
    this.#outcome.reject(reason);
  }

  #timeout(afterMs: number): FleetError {
    return new FleetError(
      "command-timeout",
      `${this.#name}: ${this.#command.label}: not done within ${afterMs / 1000} s`,
      {
        hint: "The command was told to stop; a longer timeout may help if the host is only slow.",
      },
    );
  }

  #lost(cause: Error | undefined): FleetError {
    const detail = cause === undefined ? "" : `: ${cause.message}`;
    return new FleetError(
      "connection-lost",
      `${this.#name}: connection lost during ${this.#command.label}${detail}`,
      {
        hint: "Whether the command went on is not known; ask the host.",
        cause,
      },
    );
  }
}

/**
 * Closing a channel alone leaves a command without a terminal running, so it is also told to stop. sshd
 * passes that on to every user but root; as root the command goes on until it ends by itself.
 */
function hangUp(channel: ClientChannel): void {
  // Not `channel.signal`: ssh2 sends none once our side is at end of file, though the protocol allows it.
  const { _client: client, outgoing } = channel as unknown as ChannelInside;
  if (outgoing.state === "open" || outgoing.state === "eof") client._protocol.signal(outgoing.id, "TERM");
  channel.close();
  // Unread output would keep the channel, and with it the slot on the server, from closing.
  channel.resume();
  channel.stderr.resume();
}

/** The part of ssh2's inside that sends signals. */
interface ChannelInside {
  readonly _client: { readonly _protocol: { signal(channel: number, name: string): void } };
  readonly outgoing: { readonly id: number; readonly state: string };
}

/** Did sshd refuse a channel, nothing having started, because too many are open? */
function isFull(error: unknown): boolean {
  const reason: unknown = error instanceof Error && "reason" in error ? error.reason : undefined;
  return reason === OPEN_CONNECT_FAILED || reason === OPEN_RESOURCE_SHORTAGE;
}

function once(emitter: NodeJS.EventEmitter, event: string): Promise<void> {
  return new Promise((resolve) => emitter.once(event, () => resolve()));
}
