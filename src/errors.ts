/**
 * Every failure a person can act on. A `FleetError` carries a registered code, a sentence and a hint;
 * the code decides the exit status (contract §2) and whether trying again can help.
 * Anything else that is thrown is a bug: exit 70, with a stack.
 */

export const EXIT = {
  ok: 0,
  error: 1,
  changes: 2,
  hostsFailed: 3,
  hostsDeferred: 4,
  paused: 5,
  locked: 6,
  usage: 64,
  bug: 70,
  timeout: 124,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface CodeInfo {
  readonly exit: ExitCode;
  /** May the same step succeed later without anybody changing anything? */
  readonly transient?: true;
}

/** The registry. Adding a failure a user can meet means adding one line here. */
export const ERROR_CODES = {
  usage: { exit: EXIT.usage },
  "needs-confirmation": { exit: EXIT.usage },
  "inventory-not-found": { exit: EXIT.usage },
  "inventory-invalid": { exit: EXIT.usage },
  "limit-no-match": { exit: EXIT.usage },
  "limit-syntax": { exit: EXIT.usage },
  "policy-invalid": { exit: EXIT.usage },
  "plan-stale": { exit: EXIT.error },
  "key-file-missing": { exit: EXIT.usage },
  "key-file-unreadable": { exit: EXIT.usage },
  "known-hosts-unreadable": { exit: EXIT.usage },
  "host-key-unknown": { exit: EXIT.error },
  "host-key-changed": { exit: EXIT.error },
  "auth-refused": { exit: EXIT.error },
  unreachable: { exit: EXIT.hostsDeferred, transient: true },
  "connection-lost": { exit: EXIT.hostsDeferred, transient: true },
  "command-timeout": { exit: EXIT.error, transient: true },
  "command-failed": { exit: EXIT.error },
  "elevation-refused": { exit: EXIT.error },
  "host-busy": { exit: EXIT.error, transient: true },
  "host-held": { exit: EXIT.hostsDeferred, transient: true },
  "host-not-now": { exit: EXIT.hostsDeferred, transient: true },
  "host-fenced": { exit: EXIT.locked },
  "host-disk-full": { exit: EXIT.error },
  "host-protocol": { exit: EXIT.error },
  "host-unsuitable": { exit: EXIT.error },
  "activation-failed": { exit: EXIT.error },
  "health-failed": { exit: EXIT.error },
  "build-failed": { exit: EXIT.error },
  "nix-missing": { exit: EXIT.error },
  "tool-missing": { exit: EXIT.error },
  "copy-failed": { exit: EXIT.error, transient: true },
  "copy-alien": { exit: EXIT.error },
  "install-failed": { exit: EXIT.error },
  "install-refused": { exit: EXIT.error },
  "secret-unavailable": { exit: EXIT.error },
  "needs-human": { exit: EXIT.paused },
  locked: { exit: EXIT.locked },
  "lease-lost": { exit: EXIT.locked },
  "state-corrupt": { exit: EXIT.error },
  "state-newer": { exit: EXIT.error },
  "store-unavailable": { exit: EXIT.error, transient: true },
  "rollout-not-found": { exit: EXIT.usage },
  "command-refused": { exit: EXIT.usage },
  "lab-failed": { exit: EXIT.error },
  timeout: { exit: EXIT.timeout },
  interrupted: { exit: EXIT.interrupted },
} as const satisfies Record<string, CodeInfo>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface FleetErrorOptions {
  /** What to type or change next; one sentence, ideally a command. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Trying again makes sense after this time, as whoever refused said; ms. */
  readonly askAgainMs?: number | undefined;
  /** Machine-readable facts (never secrets). */
  readonly data?: Readonly<Record<string, unknown>>;
}

export class FleetError extends Error {
  override readonly name = "FleetError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly askAgainMs: number | undefined;
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: FleetErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.askAgainMs = options.askAgainMs;
    this.data = options.data;
  }

  get exit(): ExitCode {
    return ERROR_CODES[this.code].exit;
  }

  get transient(): boolean {
    const info: CodeInfo = ERROR_CODES[this.code];
    return info.transient === true;
  }
}

/** A host's failure as data: what the journal stores and views print. */
export interface Failure {
  readonly code: ErrorCode | "bug";
  readonly message: string;
  readonly hint?: string;
  readonly transient: boolean;
  readonly askAgainMs?: number;
}

/** Turns anything thrown into data. An abort keeps its own identity: callers must check `signal.aborted` first. */
export function toFailure(error: unknown): Failure {
  if (error instanceof FleetError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      transient: error.transient,
      ...(error.askAgainMs === undefined ? {} : { askAgainMs: error.askAgainMs }),
    };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { code: "bug", message, transient: false };
}
