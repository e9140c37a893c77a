/** What hosts without a failure prove, and what they do not. Pure. */
import { classOf } from "./classes.ts";
import type { ViewState } from "./model.ts";

/**
 * `canary: 10 clean: failure rate below 26 % (95 %)`: with no failure in n hosts, a rate above 1 - 0.05^(1/n) would have
 * shown at least one with 95 % probability. Rounded up. Null before the canary is through or when one failed. At the
 * end every host counts.
 */
export function canaryStatistics(view: ViewState): string | null {
  const { run } = view;
  if (run.plan.kind !== "rollout") return null; // old systems going back are no sample of the new one
  if (run.status === "succeeded" && view.incidents.size === 0) {
    const all = [...run.hosts.values()].filter((h) => h.state === "updated").length;
    return all === 0 ? null : clean(all);
  }
  const canary = run.plan.waves[0];
  if (canary?.kind !== "canary") return null;
  const through = run.wave > 1 || run.wavePhase !== "updating";
  if (run.wave === 0 || !through) return null;
  const states = canary.hosts.flatMap((name) => run.hosts.get(name)?.state ?? []);
  const updated = states.filter((s) => s === "updated").length;
  if (updated === 0 || states.some((s) => classOf(s) === "failed")) return null;
  return `canary: ${clean(updated)}`;
}

const clean = (n: number): string => `${n} clean: failure rate below ${upperBound(n)} % (95 %)`;

/** In whole percent. */
export function upperBound(clean: number): number {
  return Math.ceil((1 - 0.05 ** (1 / clean)) * 100);
}
