import { join } from "node:path";
import { FleetError } from "../errors.ts";
import { keyFromBlob } from "./host-key.ts";
import { judge, loadTrust, refusal } from "./host-trust.ts";
import { KeyRing } from "./identity.ts";
import { KnownHosts } from "./known-hosts.ts";
import { connectLink, type Link } from "./link.ts";
import type { ResolvedHop, ResolvedTarget } from "./resolved.ts";
import { type Lease, Shared } from "./shared.ts";
import { Slots } from "./slots.ts";
import { resolveTarget } from "./ssh-config.ts";
import { SshSession } from "./ssh-session.ts";
import type { Session, Target, Transport } from "./transport.ts";

export interface SshTransportDeps {
  /** Only HOME, SSH_AUTH_SOCK and USER are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Handshakes in flight at once; default 32. More only makes the event loop stall. */
  readonly connectLimit?: number;
  /** Read beside ~/.ssh/known_hosts when a target names no file; default /etc/ssh/ssh_known_hosts. */
  readonly globalKnownHostsFile?: string;
  readonly logger?: { debug(message: string): void };
}

/** SSH by ssh2. Connections to a bastion are shared by the hosts behind it; connections to hosts never are. */
export function createSshTransport(deps: SshTransportDeps): Transport {
  return new SshTransport(deps);
}

class SshTransport implements Transport {
  readonly #deps: SshTransportDeps;
  readonly #home: string;
  readonly #handshakes: Slots;
  readonly #keys: KeyRing;
  readonly #knownHosts = new KnownHosts();
  readonly #bastions = new Shared<Link>({
    close: (link) => link.close(),
    isBroken: (link) => link.closed,
    idleMs: 0,
  });

  constructor(deps: SshTransportDeps) {
    this.#deps = deps;
    this.#home = deps.env.HOME ?? "/";
    this.#handshakes = new Slots(deps.connectLimit ?? 32);
    this.#keys = new KeyRing(this.#home, deps.env.SSH_AUTH_SOCK);
  }

  async open(target: Target, { signal }: { readonly signal: AbortSignal }): Promise<Session> {
    signal.throwIfAborted();
    const resolved = await resolveTarget(target, {
      home: this.#home,
      localUser: this.#deps.env.USER ?? this.#deps.env.LOGNAME,
      knownHostsFiles: [
        join(this.#home, ".ssh/known_hosts"),
        this.#deps.globalKnownHostsFile ?? "/etc/ssh/ssh_known_hosts",
      ],
    });
    try {
      return await this.#open(resolved, signal);
    } catch (error) {
      throw named(error, target.name);
    }
  }

  async #open(target: ResolvedTarget, signal: AbortSignal): Promise<Session> {
    const bastion = await this.#reach(target, target.bastions, signal);
    const release = async () => bastion?.release();
    try {
      const link = await this.#connect(target.host, target, bastion?.value, signal);
      this.#deps.logger?.debug(
        `${target.name}: connected to ${target.host.label} (${link.hostKeyFingerprint})`,
      );
      return new SshSession(target.name, link, release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** The last of the bastions, connected through all before it; undefined when there are none. */
  async #reach(
    target: ResolvedTarget,
    bastions: readonly ResolvedHop[],
    signal: AbortSignal,
  ): Promise<Lease<Link> | undefined> {
    const hop = bastions.at(-1);
    if (hop === undefined) return undefined;
    const before = bastions.slice(0, -1);
    const key = JSON.stringify([bastions, target.knownHostsFiles, target.hostKeyPolicy]);
    const open = async (shared: AbortSignal) => {
      const outer = await this.#reach(target, before, shared);
      try {
        const link = await this.#connect(hop, target, outer?.value, shared);
        void link.gone.then(() => outer?.release());
        return link;
      } catch (error) {
        await outer?.release();
        throw error;
      }
    };
    return this.#bastions.lease(key, open, signal);
  }

  async #connect(
    hop: ResolvedHop,
    target: ResolvedTarget,
    through: Link | undefined,
    signal: AbortSignal,
  ): Promise<Link> {
    using _slot = await this.#handshakes.acquire(signal);
    const [trust, attempts] = await Promise.all([
      loadTrust(hop, target, this.#knownHosts),
      this.#keys.attempts(hop),
    ]);
    return await connectLink({
      hop,
      target,
      trust,
      attempts,
      signal,
      record: (blob) => this.#record(blob, hop, target),
      ...(through === undefined ? {} : { through }),
    });
  }

  /** Somebody else may have recorded the host since we looked: then that key counts. */
  async #record(blob: Buffer, hop: ResolvedHop, target: ResolvedTarget): Promise<void> {
    const key = keyFromBlob(blob);
    if (key === undefined) return;
    const entries = await this.#knownHosts.append(target.knownHostsFiles[0], hop.keyName, hop.port, key);
    if (entries.length === 0) return;
    const verdict = judge(key, { pins: [], entries });
    if (verdict.kind !== "trusted") throw refusal(key, verdict, hop, target);
  }
}

/** Names the host in front of the hop: one bastion serves many hosts. */
function named(error: unknown, name: string): unknown {
  if (!(error instanceof FleetError) || error.message.startsWith(`${name}: `)) return error;
  return new FleetError(error.code, `${name}: ${error.message}`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.data === undefined ? {} : { data: error.data }),
    cause: error.cause,
  });
}
