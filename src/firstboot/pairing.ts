import type { Clock } from "../kernel/clock.ts";
import { readCode, sameCode } from "./code.ts";
import type { Credentials, Portal } from "./portal.ts";

export const MAX_TRIES = 10;
/** Between two tries, whoever makes them; milliseconds. */
export const TRY_INTERVAL_MS = 1000;

export type Outcome =
  | { readonly kind: "paired"; readonly orgIdentity: string }
  | { readonly kind: "invalid"; readonly field: "node_code" | "portal_code" }
  | { readonly kind: "wrong-code"; readonly triesLeft: number }
  | { readonly kind: "refused"; readonly reason: string; readonly triesLeft: number }
  | { readonly kind: "unavailable"; readonly reason: string }
  | { readonly kind: "too-fast" }
  | { readonly kind: "busy" }
  | { readonly kind: "locked" }
  | { readonly kind: "over" };

export type PairingState = "waiting" | "locked" | "paired";

export interface PairingDeps {
  readonly code: string;
  readonly hostname: string;
  readonly portal: Portal;
  readonly clock: Clock;
  /** Writes down what the portal gave; paired only when it has returned. */
  readonly keep: (credentials: Credentials) => Promise<void>;
}

/**
 * One machine waiting to be paired. Whoever tries must know the code on its screen, so being on the same network is
 * not enough. Ten wrong tries, of everybody together, lock it until it is started again with a new code.
 */
export class Pairing {
  readonly #deps: PairingDeps;
  #triesLeft = MAX_TRIES;
  #lastTry = Number.NEGATIVE_INFINITY;
  #underway: Promise<Outcome> | null = null;
  #paired = false;

  constructor(deps: PairingDeps) {
    this.#deps = deps;
  }

  get state(): PairingState {
    if (this.#paired) return "paired";
    return this.#triesLeft > 0 ? "waiting" : "locked";
  }

  get triesLeft(): number {
    return this.#triesLeft;
  }

  /** One try with what somebody typed. Rejects when the answer cannot be kept, or with the signal's reason. */
  async attempt(
    typed: { readonly nodeCode: string; readonly portalCode: string },
    signal: AbortSignal,
  ): Promise<Outcome> {
    if (this.state === "paired") return { kind: "over" };
    if (this.state === "locked") return { kind: "locked" };
    const nodeCode = readCode(typed.nodeCode);
    if (nodeCode === null) return { kind: "invalid", field: "node_code" };
    const portalCode = typed.portalCode.trim();
    // The portal decides what its codes look like; this only keeps nonsense away from it.
    if (!/^[A-Za-z0-9][A-Za-z0-9 -]{2,62}[A-Za-z0-9]$/.test(portalCode))
      return { kind: "invalid", field: "portal_code" };
    if (this.#underway !== null) return { kind: "busy" };
    const now = this.#deps.clock.now();
    if (Math.abs(now - this.#lastTry) < TRY_INTERVAL_MS) return { kind: "too-fast" };
    this.#lastTry = now;
    if (!sameCode(nodeCode, this.#deps.code)) return this.#wrong();
    this.#underway = this.#exchange(portalCode, signal);
    try {
      return await this.#underway;
    } finally {
      this.#underway = null;
    }
  }

  /** Resolves when no try is under way. */
  async settled(): Promise<void> {
    await this.#underway?.catch(() => undefined);
  }

  #wrong(): Outcome {
    this.#triesLeft -= 1;
    return this.#triesLeft > 0 ? { kind: "wrong-code", triesLeft: this.#triesLeft } : { kind: "locked" };
  }

  async #exchange(portalCode: string, signal: AbortSignal): Promise<Outcome> {
    const { code, hostname, portal, keep } = this.#deps;
    const answer = await portal.exchange({ portalCode, nodeCode: code, hostname }, signal);
    if (answer.kind === "unavailable") return answer;
    if (answer.kind === "refused") {
      // Counts too: a machine is no place to guess the portal's codes from.
      const { kind } = this.#wrong();
      return kind === "locked" ? { kind } : { ...answer, triesLeft: this.#triesLeft };
    }
    await keep(answer.credentials);
    this.#paired = true;
    return { kind: "paired", orgIdentity: answer.credentials.orgIdentity };
  }
}
