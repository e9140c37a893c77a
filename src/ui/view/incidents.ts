/** Why hosts are not well. Pure. */
import type { EventOf } from "../../rollout/events.ts";
import { classOf } from "./classes.ts";

/** Why a host is not well, kept until it is. */
export interface Incident {
  readonly host: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  /** ms since the epoch. */
  readonly at: number;
}

export function incidentsAfter(
  incidents: ReadonlyMap<string, Incident>,
  host: string,
  event: EventOf<"host.state">,
  at: number,
): ReadonlyMap<string, Incident> {
  const { to, failure } = event.data;
  if (failure && (!failure.transient || classOf(to) === "failed")) {
    const { code, message, hint } = failure;
    return new Map(incidents).set(host, { host, code, message, hint: hint ?? null, at });
  }
  if (classOf(to) === "failed" && !incidents.has(host)) {
    return new Map(incidents).set(host, { host, code: to, message: event.msg, hint: null, at });
  }
  // A new attempt, or success: the old reason no longer describes the host.
  const over = to === "pending" || classOf(to) === "ok" || to === "skipped";
  if (!over || !incidents.has(host)) return incidents;
  const next = new Map(incidents);
  next.delete(host);
  return next;
}

/** What the host itself says is wrong, once its evidence is in: "the activation failed: units nats.service failed". */
export function incidentsWithEvidence(
  incidents: ReadonlyMap<string, Incident>,
  host: string,
  lines: readonly string[],
): ReadonlyMap<string, Incident> {
  const incident = incidents.get(host);
  const units = lines.flatMap((l) => (l.startsWith(FAILED_UNIT) ? [l.slice(FAILED_UNIT.length)] : []));
  if (!incident || units.length === 0 || units.every((u) => incident.message.includes(u))) return incidents;
  const cause = `${units.slice(0, 3).join(", ")}${units.length > 3 ? ` and ${units.length - 3} more` : ""} failed`;
  return new Map(incidents).set(host, { ...incident, message: `${incident.message}: ${cause}` });
}

const FAILED_UNIT = "failed unit: ";
