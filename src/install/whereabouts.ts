/** Where a machine answers after it has started its installer: DHCP may have given it another address. */
import type { HostFacts } from "../host/protocol.ts";
import type { Host } from "../inventory/model.ts";

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Addresses at which machines with these MACs were seen: hints, to be proved by the host key. */
export type AddressHints = (
  macs: readonly string[],
  o: { readonly signal: AbortSignal },
) => Promise<readonly string[]>;

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
export async function candidates(s: Search): Promise<readonly Place[]> {
  const { address, port } = s.host;
  const hinted = s.hostKeys.length === 0 ? [] : await s.hints(s.macs, { signal: s.signal }).catch(() => []);
  const places = [
    { address, port },
    ...(port === 22 ? [] : [{ address, port: 22 }]),
    ...hinted.filter((a) => a !== address).map((a) => ({ address: a, port: 22 })),
  ];
  // A wrong address behind a bastion would be looked for from the wrong side.
  return s.host.bastion === null ? places : places.slice(0, port === 22 ? 1 : 2);
}

const LOOK_MS = 20_000;

/** The first place where the machine, proven, runs its installer; null: nowhere. */
export async function findInstaller(s: Search, except?: Place): Promise<Place | null> {
  for (const place of await candidates(s)) {
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
