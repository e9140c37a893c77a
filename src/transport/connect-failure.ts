import { FleetError } from "../errors.ts";
import type { ResolvedHop } from "./resolved.ts";

/** How far a connection had come, in the words of the error message. */
export type Stage = "reaching the address" | "agreeing on keys" | "logging in";

export type UnreachableReason = "refused" | "timeout" | "dns" | "no-route" | "closed" | "forwarding";

export function unreachable(
  hop: ResolvedHop,
  reason: UnreachableReason,
  message: string,
  hint: string,
  cause?: unknown,
): FleetError {
  return new FleetError("unreachable", `${hop.label}: ${message}`, {
    hint,
    cause,
    data: { reason, role: hop.role },
  });
}

/** Maps what node:net and ssh2 report while connecting to what a user can act on. */
export function connectFailure(error: Error, hop: ResolvedHop, stage: Stage): FleetError {
  const code: unknown = "code" in error ? error.code : undefined;
  switch (code) {
    case "ECONNREFUSED":
      return unreachable(
        hop,
        "refused",
        "connection refused",
        "The machine is up, but no SSH server listens there: check the port and that sshd runs.",
        error,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EAI_NODATA":
    case "EAI_FAIL":
      return unreachable(
        hop,
        "dns",
        `the name ${hop.address} does not resolve (${code})`,
        "Correct the address, or check DNS from here.",
        error,
      );
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "EADDRNOTAVAIL":
    case "EINVAL":
      return unreachable(
        hop,
        "no-route",
        `no route to the host (${code})`,
        "Is the machine on, and this network connected to its network? Perhaps it needs a bastion.",
        error,
      );
    case "ETIMEDOUT":
      return timedOut(hop, stage, undefined, error);
  }
  if (/authentication fail/i.test(error.message)) {
    return new FleetError("auth-refused", `${hop.label}: login refused: ${error.message}`, {
      hint: "The server stops after a few keys: name the right one as identityFile.",
      cause: error,
    });
  }
  if (
    /no matching|Handshake failed|identification|Bad packet|malformed|protocol version/i.test(error.message)
  ) {
    return new FleetError("host-protocol", `${hop.label}: SSH handshake failed: ${error.message}`, {
      hint: "Is it an SSH server? One that allows post-quantum key exchange only is not supported: allow curve25519-sha256.",
      cause: error,
    });
  }
  return closedEarly(hop, stage, error);
}

export function closedEarly(hop: ResolvedHop, stage: Stage, cause?: Error): FleetError {
  const detail = cause === undefined ? "" : ` (${cause.message})`;
  return unreachable(
    hop,
    "closed",
    `connection closed while ${stage}${detail}`,
    "The server may be starting, rebooting, at its MaxStartups limit, or blocking this address.",
    cause,
  );
}

export function timedOut(
  hop: ResolvedHop,
  stage: Stage,
  afterMs: number | undefined,
  cause?: Error,
): FleetError {
  const after = afterMs === undefined ? "" : ` within ${afterMs / 1000} s`;
  const hint = "Is the machine on? A firewall may drop packets; a slow link needs a longer connectTimeout.";
  return unreachable(hop, "timeout", `no answer${after} while ${stage}`, hint, cause);
}

/** A bastion that answered, but would not or could not connect us onward to `hop`. */
export function forwardFailure(error: Error, hop: ResolvedHop, bastion: ResolvedHop): FleetError {
  const reason: unknown = "reason" in error ? error.reason : undefined;
  if (reason === 1) {
    const message = `${bastion.label} refuses to forward connections`;
    return unreachable(
      hop,
      "forwarding",
      message,
      "Set AllowTcpForwarding yes (and PermitOpen) in the bastion's sshd_config.",
      error,
    );
  }
  const detail = error.message.replace(/^\(SSH\) Channel open failure: /, "");
  const message = `${bastion.label} cannot reach it: ${detail}`;
  return unreachable(
    hop,
    "forwarding",
    message,
    "Check from the bastion: is the machine on, and its address and port right?",
    error,
  );
}
