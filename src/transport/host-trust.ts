import { FleetError } from "../errors.ts";
import { fingerprint, formatHostKey, type HostKey, keyFromBlob, parseHostKey, sameKey } from "./host-key.ts";
import { type KnownHost, type KnownHosts, knownHostName } from "./known-hosts.ts";
import type { ResolvedHop, ResolvedTarget } from "./resolved.ts";

/** Where trust in a host comes from, loaded before connecting so that the handshake never waits for a file. */
export interface Trust {
  readonly pins: readonly HostKey[];
  readonly entries: readonly KnownHost[];
}

export type Verdict =
  | { readonly kind: "trusted" }
  | { readonly kind: "unknown"; readonly authority?: KnownHost }
  | { readonly kind: "changed"; readonly expected: readonly HostKey[]; readonly entry?: KnownHost }
  | { readonly kind: "revoked"; readonly entry: KnownHost };

/**
 * Pinned keys decide alone; without any, known_hosts does. Any plain entry that does not match means
 * "changed", whatever its key type: otherwise presenting another type would get around a recorded key.
 */
export function judge(key: HostKey, trust: Trust): Verdict {
  const revoked = trust.entries.find((e) => e.marker === "revoked" && sameKey(e.key.blob, key.blob));
  if (revoked !== undefined) return { kind: "revoked", entry: revoked };
  if (trust.pins.length > 0) {
    const trusted = trust.pins.some((pin) => sameKey(pin.blob, key.blob));
    return trusted ? { kind: "trusted" } : { kind: "changed", expected: trust.pins };
  }
  const plain = trust.entries.filter((e) => e.marker === undefined);
  if (plain.some((e) => sameKey(e.key.blob, key.blob))) return { kind: "trusted" };
  const entry = plain.find((e) => e.key.type === key.type) ?? plain[0];
  if (entry !== undefined) return { kind: "changed", expected: [entry.key], entry };
  const authority = trust.entries.find((e) => e.marker === "cert-authority");
  return authority === undefined ? { kind: "unknown" } : { kind: "unknown", authority };
}

/** Loads pins and known_hosts lines for one hop. A pin that is no key is the inventory's mistake. */
export async function loadTrust(
  hop: ResolvedHop,
  target: ResolvedTarget,
  knownHosts: KnownHosts,
): Promise<Trust> {
  const pins = hop.hostKeys.map((text) => {
    const key = parseHostKey(text);
    if (key !== undefined) return key;
    throw new FleetError(
      "inventory-invalid",
      `${hop.label}: the pinned host key is not an OpenSSH public key: ${text}`,
      {
        hint: "Write it as in /etc/ssh/ssh_host_ed25519_key.pub: ssh-ed25519 AAAA…",
      },
    );
  });
  return { pins, entries: await knownHosts.lookup(target.knownHostsFiles, hop.keyName, hop.port) };
}

const ALGORITHMS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
] as const;

/** Algorithms to offer, known types first: a server with several keys must prove the one we know. */
export function hostKeyAlgorithms(trust: Trust): (typeof ALGORITHMS)[number][] {
  const keys =
    trust.pins.length > 0
      ? trust.pins
      : trust.entries.filter((e) => e.marker === undefined).map((e) => e.key);
  const known = new Set(keys.map((key) => key.type));
  const isKnown = (name: string) => known.has(name.startsWith("rsa-") ? "ssh-rsa" : name);
  return [...ALGORITHMS.filter(isKnown), ...ALGORITHMS.filter((name) => !isKnown(name))];
}

/**
 * The answer to one handshake. Throws what the user must see; `record` means: trusted on first use, write it
 * down once the host has proved that it owns the key.
 */
export function decide(
  blob: Buffer,
  trust: Trust,
  hop: ResolvedHop,
  target: ResolvedTarget,
): "trusted" | "record" {
  const key = keyFromBlob(blob);
  if (key === undefined) throw new FleetError("host-protocol", `${hop.label}: sent a malformed host key`);
  const verdict = judge(key, trust);
  if (verdict.kind === "trusted") return "trusted";
  if (
    verdict.kind === "unknown" &&
    verdict.authority === undefined &&
    target.hostKeyPolicy === "accept-new"
  ) {
    return "record";
  }
  throw refusal(key, verdict, hop, target);
}

/** The error for a verdict that is not `trusted`. */
export function refusal(
  key: HostKey,
  verdict: Exclude<Verdict, { kind: "trusted" }>,
  hop: ResolvedHop,
  target: ResolvedTarget,
): FleetError {
  const shown = `${key.type} ${fingerprint(key.blob)}`;
  const data = { fingerprint: fingerprint(key.blob), keyType: key.type };
  if (verdict.kind === "unknown") {
    const authority =
      verdict.authority === undefined
        ? ""
        : `; ${place(verdict.authority)} trusts a certificate authority for it, but host certificates are not supported`;
    return new FleetError("host-key-unknown", `${hop.label}: unknown host key ${shown}${authority}`, {
      hint: howToTrust(key, hop, target),
      data: { ...data, publicKey: formatHostKey(key) },
    });
  }
  if (verdict.kind === "revoked") {
    return new FleetError(
      "host-key-changed",
      `${hop.label}: host key ${shown} is revoked by ${place(verdict.entry)}`,
      {
        hint: "Do not connect: whoever answers holds a key that was declared compromised. Give the host new host keys.",
        data: { ...data, entry: place(verdict.entry) },
      },
    );
  }
  const { entry } = verdict;
  const source = entry === undefined ? "the inventory's pinned host key" : place(entry);
  const expected = verdict.expected.map((k) => `${k.type} ${fingerprint(k.blob)}`).join(" or ");
  const remedy =
    entry === undefined
      ? `replace ${where(hop)} in the inventory by: ${formatHostKey(key)}`
      : `delete the old line: sed -i '${entry.line}d' ${entry.file}`;
  return new FleetError(
    "host-key-changed",
    `${hop.label}: HOST KEY CHANGED: presented ${shown}, but ${source} says ${expected}`,
    {
      hint: `Somebody may be in between, or the host was reinstalled. Only if you know that it was, ${remedy}`,
      data: { ...data, expected, ...(entry === undefined ? {} : { entry: place(entry) }) },
    },
  );
}

function howToTrust(key: HostKey, hop: ResolvedHop, target: ResolvedTarget): string {
  const file = `/etc/ssh/ssh_host_${key.type.replace(/^ssh-|-sha2-.*$/g, "")}_key.pub`;
  const line = `${knownHostName(hop.keyName, hop.port)} ${formatHostKey(key)}`;
  return (
    `Compare with the host's console (ssh-keygen -lf ${file}); if equal, pin ${where(hop)}: "${formatHostKey(key)}" ` +
    `in the inventory, or run: echo '${line}' >> ${target.knownHostsFiles[0]}`
  );
}

function where(hop: ResolvedHop): string {
  return hop.role === "bastion" ? "the bastion's hostKey" : "identity.hostKeys";
}

function place(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`;
}
