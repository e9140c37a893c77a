/** Flags of a rollout over the inventory's policy. Pure. */
import { FleetError } from "../errors.ts";
import type { Policy } from "../plan/policy.ts";
import { applyStanza } from "./policy.ts";
import { checkPolicy, checkStanza } from "./policy-check.ts";
import { type RolloutStanza, rollout } from "./schema/rollout.ts";

/**
 * `flags` has the keys and forms of the `rollout:` stanza (`{canary: "10%", waves: ["50%", "100%"]}`); numbers may
 * come as text, as they do from a command line. Throws policy-invalid naming every mistake.
 */
export function policyWithFlags(base: Policy, flags: Readonly<Record<string, unknown>>): Policy {
  const parsed = rollout.safeParse(numbered(flags));
  if (!parsed.success) {
    const mistakes = parsed.error.issues.map(({ path, message }) => `--${flagName(path[0])}: ${message}`);
    throw invalid(mistakes);
  }
  const stanza: RolloutStanza = parsed.data;
  const policy = applyStanza(base, stanza);
  const before = new Set([...checkPolicy(base)].map(({ message }) => message));
  const findings = [...checkStanza(stanza), ...checkPolicy(policy)].filter(
    ({ message }) => !before.has(message),
  );
  if (findings.length > 0) throw invalid(findings.map(({ message }) => message));
  return policy;
}

/** `maxParallel` -> `max-parallel` */
const flagName = (key: unknown): string =>
  String(key).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function numbered(value: unknown): unknown {
  if (typeof value === "string") return /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(numbered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([key, part]) => [key, numbered(part)]),
  );
}

const invalid = (mistakes: readonly string[]): FleetError =>
  new FleetError("policy-invalid", mistakes.join("; "), {
    hint: "Amounts are 3 or 10%, durations 90s or 10m, waves grow to 100%.",
  });
