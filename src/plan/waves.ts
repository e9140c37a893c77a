/** From canaries and cumulative targets to the list of waves. Pure. */
import type { HostName, Role } from "../inventory/model.ts";
import type { PlannedWave } from "./model.ts";
import type { Policy, Quantity } from "./policy.ts";
import { describe, targetOf, toleranceOf } from "./quantity.ts";

export interface OrderedHost {
  readonly name: HostName;
  readonly role: Role;
}

const pct = (n: number): Quantity => ({ kind: "percent", pct: n });

/** The ladder for a fleet of `n`: small fleets cannot buy statistics, large ones should climb slowly. */
export function defaultLadder(n: number): readonly Quantity[] {
  if (n < 5) return [pct(100)];
  if (n < 50) return [pct(50), pct(100)];
  if (n < 500) return [pct(10), pct(50), pct(100)];
  if (n < 5000) return [pct(5), pct(20), pct(50), pct(100)];
  return [pct(1), pct(5), pct(15), pct(40), pct(100)];
}

/**
 * Hosts come ordered: canaries first, then the rest by role order. Each target is cumulative. A wave that would mix
 * roles is cut at the role boundary, so that critical roles always stand behind a gate of their own.
 */
export function buildWaves(
  canaries: readonly OrderedHost[],
  rest: readonly OrderedHost[],
  policy: Policy,
): PlannedWave[] {
  const total = canaries.length + rest.length;
  const waves: PlannedWave[] = [];
  const add = (kind: PlannedWave["kind"], label: string, hosts: readonly OrderedHost[], soakMs: number) => {
    if (hosts.length === 0) return;
    const { canary, wave, waveMax = Number.POSITIVE_INFINITY } = policy.maxFailures;
    const tolerated = kind === "canary" ? canary : wave;
    waves.push({
      index: waves.length + 1,
      kind,
      label,
      hosts: hosts.map((h) => h.name),
      maxFailures: Math.min(toleranceOf(tolerated, hosts.length), waveMax),
      soakMs: Math.max(soakMs, ...hosts.map((h) => policy.roles[h.role]?.soakMs ?? 0)),
    });
  };

  add("canary", "canary", canaries, policy.soak.canaryMs);
  const { waveMs } = policy.soak;
  let taken = 0;
  (policy.waves ?? defaultLadder(total)).forEach((target, i) => {
    const upTo = Math.max(taken, targetOf(target, total) - canaries.length);
    for (const [role, part] of Map.groupBy(rest.slice(taken, upTo), (h) => h.role)) {
      const label = role === rest[0]?.role ? describe(target) : `${describe(target)} ${role}`;
      add("wave", label, part, waveMs[i] ?? waveMs.at(-1) ?? 0);
    }
    taken = upTo;
  });
  return waves;
}
