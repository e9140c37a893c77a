import ssh2 from "ssh2";

export interface KeyPair {
  /** OpenSSH private key file. */
  readonly private: string;
  /** `ssh-ed25519 AAAA… comment` */
  readonly public: string;
}

/** A fresh ed25519 key. */
export function newKeyPair(comment: string): KeyPair {
  for (;;) {
    const { private: secret, public: open } = ssh2.utils.generateKeyPairSync("ed25519", { comment });
    // ssh2 1.17 writes about one key in two hundred so that nobody can read it.
    if (!(ssh2.utils.parseKey(secret) instanceof Error)) return { private: secret, public: open };
  }
}
