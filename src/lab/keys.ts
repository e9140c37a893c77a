/** ed25519 keys of a lab: the operator's and one per host. They protect nothing and never leave loopback. */
import ssh2 from "ssh2";

export { newKeyPair } from "../transport/key-pair.ts";

/** The public half of a private key file; throws `Error` when it is none. */
export function publicKeyOf(privateKey: string): string {
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  return `${key.type} ${key.getPublicSSH().toString("base64")}`;
}

/** One line of a known_hosts file for a host on loopback. */
export const knownHostsLine = (port: number, publicKey: string): string =>
  `[127.0.0.1]:${port} ${publicKey.split(" ").slice(0, 2).join(" ")}`;
