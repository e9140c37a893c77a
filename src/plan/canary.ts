/** Which hosts go first: deterministic, spread over what makes hosts differ, and explained. Pure. */
import type { Host } from "../inventory/model.ts";

export interface Candidate {
  readonly host: Host;
  /** System it runs now; null when unknown. */
  readonly version: string | null;
}

export interface CanaryChoice {
  readonly host: Host;
  readonly why: string;
}

export interface CanaryOptions {
  readonly count: number;
  readonly spread: readonly ("role" | "site" | "arch" | "hardware" | "version")[];
  readonly prefer: (host: Host) => boolean;
  /** Tie-break: the same for the same revision, so a plan repeats, and another order for the next one. */
  readonly rank: (name: string) => string;
}

type Dimension = CanaryOptions["spread"][number];

const VALUE: Record<Dimension, (c: Candidate) => string> = {
  role: (c) => c.host.role,
  site: (c) => c.host.site ?? "no site",
  arch: (c) => c.host.arch,
  hardware: (c) => c.host.hardware.board ?? c.host.hardware.boot,
  version: (c) => c.version?.split(`-nixos-system-${c.host.name}-`)[1] ?? c.version ?? "unknown",
};

/**
 * Picks `count` candidates one by one; each pick is the one least like those already picked.
 * `rollout.canary: always` goes first, `never` does not go at all.
 */
export function pickCanaries(candidates: readonly Candidate[], options: CanaryOptions): CanaryChoice[] {
  const left = candidates
    .filter((c) => c.host.rollout.canary !== "never")
    .sort((a, b) => (options.rank(a.host.name) < options.rank(b.host.name) ? -1 : 1));
  // Diversity is bought where hosts really differ; a dimension with one value says nothing.
  const dimensions = options.spread.filter((d) => new Set(left.map(VALUE[d])).size > 1);
  const stratum = (c: Candidate) => dimensions.map((d) => VALUE[d](c)).join(" ");
  const sizes = Map.groupBy(left, stratum);
  const picked: Candidate[] = [];
  const choices: CanaryChoice[] = [];

  const likeness = (c: Candidate): readonly number[] => [
    c.host.rollout.canary === "always" ? 0 : 1,
    options.prefer(c.host) ? 0 : 1,
    picked.filter((p) => stratum(p) === stratum(c)).length,
    picked.filter((p) => VALUE.site(p) === VALUE.site(c)).length,
    dimensions.reduce((sum, d) => sum + picked.filter((p) => VALUE[d](p) === VALUE[d](c)).length, 0),
    -(sizes.get(stratum(c))?.length ?? 0),
  ];

  while (picked.length < options.count && left.length > 0) {
    const best = left.reduce((a, b) => (compare(likeness(b), likeness(a)) < 0 ? b : a));
    left.splice(left.indexOf(best), 1);
    choices.push({ host: best.host, why: reason(best, picked, options, dimensions) });
    picked.push(best);
  }
  return choices;
}

function compare(a: readonly number[], b: readonly number[]): number {
  return a.map((value, at) => value - (b[at] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

function reason(
  c: Candidate,
  picked: readonly Candidate[],
  o: CanaryOptions,
  dimensions: readonly Dimension[],
): string {
  if (c.host.rollout.canary === "always") return "canary: labelled canary: always";
  if (o.prefer(c.host)) return "canary: preferred by the policy";
  const fresh = dimensions.filter((d) => !picked.some((p) => VALUE[d](p) === VALUE[d](c)));
  const names = (fresh.length > 0 ? fresh : dimensions).map((d) => `${d} ${VALUE[d](c)}`);
  if (names.length === 0) return "canary: chosen by hash, all hosts are alike";
  return fresh.length > 0 && picked.length > 0
    ? `canary: first of ${names.join(", ")}`
    : `canary: ${names.join(", ")}`;
}
