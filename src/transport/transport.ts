import type { Command } from "../kernel/shell.ts";

/** One hop on the way to a host; bastions are listed outermost first. */
export interface Hop {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH public keys (`ssh-ed25519 AAAA…`) this hop must present. Empty: known_hosts decides. */
  readonly hostKeys: readonly string[];
  readonly identityFile?: string;
  /** Name to look the key up under in known_hosts instead of the address: two sites may reuse one private address. */
  readonly hostKeyAlias?: string;
  /** Fields that hold a built-in default nobody asked for: an ssh_config may still fill them. */
  readonly defaulted?: readonly ("port" | "user")[];
}

/** Everything needed to reach a host; built from the inventory, free of domain words. */
export interface Target extends Hop {
  /** Inventory name, for messages only. */
  readonly name: string;
  readonly via: readonly Hop[];
  readonly knownHostsFile?: string;
  /** `strict`: unknown keys are refused. `accept-new`: first key is recorded; a changed one is always refused. */
  readonly hostKeyPolicy: "strict" | "accept-new";
  readonly connectTimeoutMs: number;
  /** An ssh_config to read aliases, users, ports, keys and ProxyJump from; absent: none. */
  readonly sshConfigFile?: string;
}

export interface Completed {
  /** Exit status, or null when a signal ended the command. */
  readonly code: number | null;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Whole-command deadline in ms; expiry closes the channel and throws `command-timeout`. */
  readonly timeoutMs?: number;
  /** Called per complete line as it arrives. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** Takes stdout as raw bytes instead of capturing it; the host is held back until the promise resolves. */
  readonly onStdout?: (chunk: Uint8Array) => Promise<void>;
  /** Cap for captured stdout and stderr each, bytes; default 8 MiB; beyond it the middle is cut and marked. */
  readonly maxOutput?: number;
}

/** One authenticated connection. Closing it aborts what runs on it. */
export interface Session extends AsyncDisposable {
  /** True once the connection is gone or worn out; a pool then opens another. Absent: only a failing `run` tells. */
  readonly closed?: boolean;
  /** `SHA256:…` of the key the host proved. */
  readonly hostKeyFingerprint: string;
  /**
   * Resolves for every exit status: a non-zero exit is a value. Rejects with `connection-lost` when the
   * channel dies, `command-timeout` on deadline, or the signal's reason on abort.
   */
  run(command: Command, options: RunOptions): Promise<Completed>;
}

export interface Transport {
  /**
   * Opens a new connection (never a shared one: confirmation depends on that; see `SessionPool` for reuse).
   * Rejects with unreachable | auth-refused | host-key-unknown | host-key-changed | key-file-missing | …
   */
  open(target: Target, options: { readonly signal: AbortSignal }): Promise<Session>;
}
