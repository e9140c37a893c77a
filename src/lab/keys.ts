/** ed25519 keys of a lab: the operator's and one per host. They protect nothing and never leave loopback. */
import ssh2 from "ssh2";

export interface KeyPair {
  /** OpenSSH private key file. */
  readonly private: string;
  /** `ssh-ed25519 AAAA… comment` */
  readonly public: string;
}

export function newKeyPair(comment: string): KeyPair {
  for (;;) {
    const { private: secret, public: open } = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    // ssh2 1.17 writes about one key in two hundred so that nobody can read it.
    if (!(ssh2.utils.parseKey(secret) instanceof Error)) return { private: secret, public: open };
  }
}

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
