/**
 * A site's seed: the host that closures reach over the uplink, and that its neighbours then take them from over their
 * own network. So a site's uplink carries what its hosts have in common once. A seed that is away or cannot be reached
 * from a neighbour costs time, nothing else: what it does not bring is copied from here.
 */
import { randomBytes } from "node:crypto";
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import { Secret } from "../kernel/secret.ts";
import type { StorePathInfo } from "../nix/closures.ts";
import { parseAnswer } from "./answer.ts";
import { hostCommands } from "./commands.ts";
import type { HostSessions } from "./host-session.ts";
import { Lent } from "./protocol.ts";

/** Opened on seeds by the flake's `macula.seed`. */
export const SEED_PORT = 7418;
const LEASE_SECONDS = 3600;

export interface SeedingDeps {
  readonly sessions: HostSessions;
  /** The seed of the host's site; null: none, or it is the host itself. */
  readonly seedOf: (host: Host) => Host | null;
  readonly copyTimeoutMs: number;
}

/** Copies from here what the host lacks of `to`, and says how many bytes crossed the uplink. */
export type CopyDirectly = (host: Host) => Promise<{ readonly bytes: number }>;

export interface Seeded {
  readonly seed: string;
  readonly bytes: number;
}

export class Seeding {
  readonly #deps: SeedingDeps;
  /** Per seed, so that what two neighbours need is copied to it once. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Seeds that cannot hand on and hosts that cannot reach theirs: not tried again by this process. */
  readonly #without = new Set<string>();

  constructor(deps: SeedingDeps) {
    this.#deps = deps;
  }

  /**
   * Has the seed bring `lacking` to the host; null when that did not work, or there is none. Throws `copy-alien` when
   * the seed sent something else than what was built.
   */
  async bring(
    run: string,
    host: Host,
    lacking: readonly StorePathInfo[],
    copy: CopyDirectly,
    signal: AbortSignal,
  ): Promise<Seeded | null> {
    const seed = this.#deps.seedOf(host);
    const paths = lacking.flatMap(({ path, hash }) => (hash === undefined ? [] : [{ path, hash }]));
    if (!seed || paths.length < lacking.length) return null;
    if (this.#without.has(seed.name) || this.#without.has(host.name)) return null;
    const { sessions, copyTimeoutMs } = this.#deps;
    const offer = { token: new Secret(randomBytes(16).toString("hex")), port: SEED_PORT };
    const lending = { ...offer, run, leaseSeconds: LEASE_SECONDS, paths: paths.map(({ path }) => path) };
    const lent = await this.#tolerated(seed, signal, async () => {
      const { bytes } = await this.#inTurn(seed.name, () => copy(seed));
      const { stdout } = await sessions.run(seed, (e) => hostCommands.lend(e, lending), { signal });
      return { bytes, ...parseAnswer(seed.name, "lend", stdout, Lent) };
    });
    if (lent === null) return null;
    const { address, bytes } = lent;
    const call = { signal, timeoutMs: copyTimeoutMs };
    return await this.#tolerated(host, signal, async () => {
      await sessions.run(host, (e) => hostCommands.borrow(e, { ...offer, address, paths }), call);
      return { seed: seed.name, bytes };
    });
  }

  async #tolerated<T>(host: Host, signal: AbortSignal, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof FleetError) || error.code === "copy-alien") throw error;
      this.#without.add(host.name);
      return null;
    }
  }

  async #inTurn<T>(seed: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(seed) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#turns.set(seed, mine);
    return await mine;
  }
}
