import ssh2, { type KnownPublicKeys, type ParsedKey } from "ssh2";
import { sameKey } from "./host-key.ts";

/**
 * The agent reduced to one public key: servers count login attempts, so a full agent would use them all up.
 * Undefined when the agent does not hold that key or does not answer.
 */
export async function chosenKeyAgent(
  socketPath: string,
  blob: Uint8Array,
): Promise<ssh2.OpenSSHAgent | undefined> {
  const agent = new ssh2.OpenSSHAgent(socketPath);
  const keys = await new Promise<KnownPublicKeys<ParsedKey>>((resolve) => {
    agent.getIdentities((error, found) => resolve(error ? [] : (found ?? [])));
  });
  const chosen = keys.filter((key) => "getPublicSSH" in key && sameKey(key.getPublicSSH(), blob));
  return chosen.length === 0 ? undefined : new ChosenKeys(socketPath, chosen);
}

class ChosenKeys extends ssh2.OpenSSHAgent {
  readonly #keys: KnownPublicKeys<ParsedKey>;

  constructor(socketPath: string, keys: KnownPublicKeys<ParsedKey>) {
    super(socketPath);
    this.#keys = keys;
  }

  override getIdentities(...[reply]: Parameters<ssh2.OpenSSHAgent["getIdentities"]>): void {
    reply(undefined, this.#keys);
  }
}
