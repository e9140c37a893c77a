/** Where a machine answers after it has started its installer: DHCP may have given it another address. */
import type { HostFacts } from "../host/protocol.ts";
import type { Host } from "../inventory/model.ts";

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Addresses at which a machine may be: hints, to be proved by the host key. */
export type AddressHints = (who: Sought, o: { readonly signal: AbortSignal }) => Promise<readonly string[]>;

export interface Sought {
  /** In the inventory. */
  readonly name: string;
  readonly macs: readonly string[];
}

export interface Search {
  readonly host: Host;
  /** Keys that prove the machine; a search without any finds it only where the inventory says. */
  readonly hostKeys: readonly string[];
  readonly macs: readonly string[];
  readonly facts: (host: Host, o: { readonly signal: AbortSignal }) => Promise<HostFacts>;
  readonly hints: AddressHints;
  readonly signal: AbortSignal;
}

/** As root at `place`, proving itself with the keys of before. */
export const atPlace = (host: Host, place: Place, hostKeys: readonly string[]): Host => ({
  ...host,
  ...place,
  user: "root",
  identity: { ...host.identity, hostKeys: hostKeys.length > 0 ? hostKeys : host.identity.hostKeys },
});

/** Places to look at, the likeliest first: the inventory's, the installer's own port there, then the hints. */
async function* places(s: Search): AsyncGenerator<Place> {
  const { name, address, port, bastion } = s.host;
  yield { address, port };
  if (port !== 22) yield { address, port: 22 };
  // A wrong address behind a bastion would be looked for from the wrong side; and no key, no proof.
  if (bastion !== null || s.hostKeys.length === 0) return;
  const hinted = await s.hints({ name, macs: s.macs }, { signal: s.signal }).catch(() => []);
  for (const hint of hinted) if (hint !== address) yield { address: hint, port: 22 };
}

const LOOK_MS = 20_000;

/** The first place where the machine, proven, runs its installer; null: nowhere. */
export async function findInstaller(s: Search, except?: Place): Promise<Place | null> {
  for await (const place of places(s)) {
    if (except && place.address === except.address && place.port === except.port) continue;
    try {
      const signal = AbortSignal.any([s.signal, AbortSignal.timeout(LOOK_MS)]);
      const facts = await s.facts(atPlace(s.host, place, s.hostKeys), { signal });
      if (facts.os.variant === "installer") return place;
    } catch {
      s.signal.throwIfAborted();
    }
  }
  return null;
}
