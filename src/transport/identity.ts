import { createPrivateKey, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2, { type OpenSSHAgent, type ParsedKey } from "ssh2";
import { FleetError } from "../errors.ts";
import { chosenKeyAgent } from "./agent.ts";
import { fingerprint } from "./host-key.ts";
import type { ResolvedHop } from "./resolved.ts";

/** One login attempt ssh2 understands, with words for the error should all of them fail. */
export type AuthAttempt = { readonly description: string } & (
  | { readonly type: "publickey"; readonly key: ParsedKey }
  | { readonly type: "agent"; readonly agent: OpenSSHAgent }
);

type KeyFile =
  | { readonly kind: "private"; readonly path: string; readonly key: ParsedKey }
  /** The private half is encrypted or elsewhere: only an agent can sign. */
  | {
      readonly kind: "agent-only";
      readonly path: string;
      readonly blob: Buffer | undefined;
      readonly encrypted: boolean;
    };

const DEFAULT_FILES = ["id_ed25519", "id_ecdsa", "id_rsa"];

/** The operator's keys: files are read and parsed once per transport, whatever the number of hosts. */
export class KeyRing {
  readonly #home: string;
  readonly #agentSocket: string | undefined;
  readonly #files = new Map<string, Promise<KeyFile | undefined>>();

  constructor(home: string, agentSocket: string | undefined) {
    this.#home = home;
    this.#agentSocket = agentSocket === "" ? undefined : agentSocket;
  }

  /**
   * What to try on a hop, best first. Named files are the only ones tried (servers count attempts), the agent
   * signing for those that are encrypted. Without any: the usual files, then the agent.
   */
  async attempts(hop: ResolvedHop): Promise<readonly AuthAttempt[]> {
    const found = hop.identityFiles.length > 0 ? await this.#named(hop) : await this.#usual();
    if (found.length > 0) return found;
    throw new FleetError("key-file-missing", `${hop.label}: no SSH key to log in with`, {
      hint: `Name one as identityFile, start an ssh-agent, or make one: ssh-keygen -t ed25519 -f ${join(this.#home, ".ssh/id_ed25519")}`,
    });
  }

  async #named(hop: ResolvedHop): Promise<readonly AuthAttempt[]> {
    const files = (await Promise.all(hop.identityFiles.map((path) => this.#load(path)))).filter(
      (f) => f !== undefined,
    );
    if (files.length === 0) {
      throw new FleetError(
        "key-file-missing",
        `${hop.label}: key file ${hop.identityFiles.join(", ")} does not exist`,
        {
          hint: "Correct identityFile, or make the key: ssh-keygen -t ed25519 -f FILE",
        },
      );
    }
    const usable = await Promise.all(files.map((file) => this.#attempt(file)));
    const attempts = usable.filter((attempt) => attempt !== undefined);
    if (attempts.length > 0) return attempts;
    const path = files[0]?.path ?? "";
    const agent =
      this.#agentSocket === undefined
        ? "no ssh-agent is running (SSH_AUTH_SOCK is not set)"
        : "the ssh-agent does not hold it";
    const problem = files.some((f) => f.kind === "agent-only" && f.encrypted)
      ? "is encrypted"
      : "is only a public key";
    const start = this.#agentSocket === undefined ? 'eval "$(ssh-agent)" && ' : "";
    throw new FleetError("key-file-unreadable", `${hop.label}: key file ${path} ${problem} and ${agent}`, {
      hint: `Load it into an agent: ${start}ssh-add ${path.replace(/\.pub$/, "")}; or name a key without passphrase`,
    });
  }

  async #usual(): Promise<readonly AuthAttempt[]> {
    const paths = DEFAULT_FILES.map((name) => join(this.#home, ".ssh", name));
    const files = (await Promise.all(paths.map((path) => this.#load(path)))).filter(
      (file) => file?.kind === "private",
    );
    const attempts: AuthAttempt[] = files.map((file) => ({
      type: "publickey",
      key: file.key,
      description: file.path,
    }));
    if (this.#agentSocket !== undefined) {
      const agent = new ssh2.OpenSSHAgent(this.#agentSocket);
      attempts.push({ type: "agent", agent, description: "the ssh-agent's keys" });
    }
    return attempts;
  }

  async #attempt(file: KeyFile): Promise<AuthAttempt | undefined> {
    if (file.kind === "private") {
      const print = fingerprint(file.key.getPublicSSH());
      return { type: "publickey", key: file.key, description: `${file.path} (${print})` };
    }
    if (this.#agentSocket === undefined || file.blob === undefined) return undefined;
    const agent = await chosenKeyAgent(this.#agentSocket, file.blob);
    return (
      agent && {
        type: "agent",
        agent,
        description: `${file.path} (${fingerprint(file.blob)}, through the ssh-agent)`,
      }
    );
  }

  #load(path: string): Promise<KeyFile | undefined> {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const loading = loadKeyFile(path);
    this.#files.set(path, loading);
    // Only good news is kept: the user may repair the file while we run.
    const forget = () => this.#files.delete(path);
    loading.then((file) => file?.kind !== "private" && forget(), forget);
    return loading;
  }
}

/** Undefined when there is no such file. Rejects with `key-file-unreadable`. */
async function loadKeyFile(path: string): Promise<KeyFile | undefined> {
  const text = await readKey(path);
  if (text === undefined) return undefined;
  const parsed: unknown = ssh2.utils.parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (isParsedKey(key)) {
    if (key.isPrivateKey()) return { kind: "private", path, key: withParsedSigner(key) };
    return { kind: "agent-only", path, blob: key.getPublicSSH(), encrypted: false };
  }
  const reason = key instanceof Error ? key.message : "unsupported format";
  if (/encrypted|passphrase/i.test(reason)) {
    return { kind: "agent-only", path, blob: await publicHalf(path, text), encrypted: true };
  }
  throw new FleetError("key-file-unreadable", `key file ${path} is not a usable private key: ${reason}`, {
    hint: "Supported: ed25519, ecdsa and rsa keys in OpenSSH or PEM format. FIDO (sk-) keys are not.",
  });
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FleetError("key-file-unreadable", `key file ${path} cannot be read: ${reason}`, {
      hint: `Check its owner and mode: ls -l ${path}`,
      cause,
    });
  }
}

/** The public key of an encrypted file: OpenSSH keeps it in clear inside; older formats have it in a `.pub` beside. */
async function publicHalf(path: string, text: string): Promise<Buffer | undefined> {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1];
  if (body !== undefined) return envelopePublicKey(Buffer.from(body, "base64"));
  const beside = await readKey(`${path}.pub`);
  const key: unknown = beside === undefined ? undefined : ssh2.utils.parseKey(beside);
  return isParsedKey(key) ? key.getPublicSSH() : undefined;
}

/** `openssh-key-v1\0`, then strings: cipher, kdf, kdf options; a count; the first public key. */
function envelopePublicKey(bytes: Buffer): Buffer | undefined {
  let at = "openssh-key-v1\0".length;
  const field = () => {
    if (at + 4 > bytes.length) return undefined;
    const start = at + 4;
    at = start + bytes.readUInt32BE(at);
    return bytes.subarray(start, at);
  };
  for (let skipped = 0; skipped < 3; skipped++) field();
  at += 4;
  return field();
}

function isParsedKey(value: unknown): value is ParsedKey {
  return typeof value === "object" && value !== null && "isPrivateKey" in value;
}

const DIGESTS: Readonly<Record<string, string | null>> = {
  "ssh-ed25519": null,
  "ecdsa-sha2-nistp256": "sha256",
  "ecdsa-sha2-nistp384": "sha384",
  "ecdsa-sha2-nistp521": "sha512",
};

/** ssh2 parses the PEM anew for every signature, a tenth of a handshake's CPU; a key object is parsed once. */
function withParsedSigner(key: ParsedKey): ParsedKey {
  const digest = DIGESTS[key.type];
  if (digest === undefined) return key;
  const parsed = createPrivateKey(key.getPrivatePEM());
  key.sign = (data) => sign(digest, typeof data === "string" ? Buffer.from(data) : data, parsed);
  return key;
}
