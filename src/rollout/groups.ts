/**
 * The groups of hosts that the policy asks for after every event, found without looking at every host: each part of
 * the map remembers its own members for as long as none of its hosts changes. Pure.
 */
import {
  isAtRisk,
  isFailed,
  isPreparing,
  isSettled,
  isUnavailable,
  type Tally,
  tally,
  wasTouched,
} from "./classes.ts";
import type { HostMap } from "./host-map.ts";
import { type HostProgress, isGivenUp, isSilent } from "./host-progress.ts";

type Hosts = readonly HostProgress[];
type Test = (host: HostProgress) => boolean;

const isUpdated: Test = (h) => h.state === "updated";
/** It failed or went back after it was touched, and nobody asked it yet why. */
export const needsEvidence: Test = (h) =>
  (h.state === "reverted" || h.state === "failed") && wasTouched(h) && h.evidence === null;

/** What each group is made of. */
export const MEMBERS = {
  pending: (h) => h.state === "pending",
  /** Tried again after it was given up in flight: takes up room until it was looked at. */
  returning: (h) => h.state === "pending" && isUnavailable(h),
  preparing: isPreparing,
  staged: (h) => h.state === "staged",
  atRisk: isAtRisk,
  updated: isUpdated,
  /** Committed, and it could go back. */
  revertible: (h) => isUpdated(h) && h.previous !== null,
  /** Committed, and in trouble since. */
  troubled: (h) => isUpdated(h) && h.troubleSince !== null,
  failed: isFailed,
  broken: (h) => h.state === "failed",
  open: (h) => !isSettled(h),
  unavailable: isUnavailable,
  /** Given up in flight: over by now, without power, or still at it. Only the host itself can say. */
  doubtful: (h) => isUnavailable(h) && !isAtRisk(h),
  /** Answered before, does not now, and the run waits for it: a committed one is silent only if a soak found it so. */
  missed: (h) => isSilent(h) && h.contactAt !== null && (isAtRisk(h) || isPreparing(h) || isUpdated(h)),
  /** Something may have to be done about it whatever the wave does. */
  watched: (h) =>
    isAtRisk(h) || isPreparing(h) || isGivenUp(h) || needsEvidence(h) || (isUpdated(h) && isSilent(h)),
} as const satisfies Readonly<Record<string, Test>>;

export type Group = keyof typeof MEMBERS;

/** What limits and windows tell hosts apart by. */
type Kin = Pick<HostProgress, "role" | "site">;

interface Selection {
  readonly of: (hosts: Hosts) => Hosts;
  readonly kin: (hosts: Hosts) => readonly Kin[];
}

const selection = (test: Test): Selection => ({
  of: (hosts) => hosts.filter(test),
  kin: (hosts) => [...new Map(hosts.filter(test).map((h) => [`${h.role} ${h.site}`, h])).values()],
});

const SELECT = Object.fromEntries(
  Object.entries(MEMBERS).map(([group, test]) => [group, selection(test)]),
) as Readonly<Record<Group, Selection>>;

interface Run {
  readonly hosts: HostMap<HostProgress>;
}

/** The parts of a wave (from 1), or of the whole run. */
export const partsOf = ({ hosts }: Run, wave?: number) =>
  hosts.parts(wave === undefined ? undefined : wave - 1);

/** Its members in the run's order; `wave` (from 1) only those of that wave. */
export function hostsIn(run: Run, group: Group, wave?: number): HostProgress[] {
  const found: HostProgress[] = [];
  for (const part of partsOf(run, wave)) found.push(...part.recall(SELECT[group].of));
  return found;
}

export const hasAny = (run: Run, group: Group, wave?: number): boolean =>
  partsOf(run, wave).some((part) => part.recall(SELECT[group].of).length > 0);

export const countIn = (run: Run, group: Group, wave?: number): number =>
  partsOf(run, wave).reduce((sum, part) => sum + part.recall(SELECT[group].of).length, 0);

/** Whom there is no room for just now, found out while going through a group. */
export class Closed {
  readonly sites = new Set<string | null>();
  readonly roles = new Set<string | null>();

  has = ({ site, role }: Kin): boolean => this.sites.has(site) || this.roles.has(role);
}

/** Members one by one, passing over those of `closed`, which may grow meanwhile. */
export function* outside(
  closed: Closed,
  run: Run,
  group: Group,
  wave?: number,
): Generator<HostProgress, void, undefined> {
  for (const part of partsOf(run, wave)) {
    if (part.recall(SELECT[group].kin).every(closed.has)) continue;
    for (const host of part.recall(SELECT[group].of)) if (!closed.has(host)) yield host;
  }
}

/** How its hosts count; `wave` (from 1) only those of that wave. */
export function tallyOf(run: Run, wave?: number): Tally {
  const sum = { ok: 0, failed: 0, deferred: 0, skipped: 0, pending: 0 };
  for (const part of partsOf(run, wave)) {
    const t = part.recall(tally);
    for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += t[key];
  }
  return sum;
}

const lastContact = (hosts: Hosts): number =>
  hosts.reduce((last, h) => Math.max(last, h.contactAt ?? -Infinity), -Infinity);

/** Did anybody, or anybody of this site, answer after that time? */
export function heardSince(run: Run, at: number, site?: string): boolean {
  const heard: Test = (h) => h.contactAt !== null && h.contactAt > at && h.site === site;
  return partsOf(run).some(
    (part) => part.recall(lastContact) > at && (site === undefined || part.values.some(heard)),
  );
}
