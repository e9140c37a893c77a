/** The only place percentages become hosts (contract §4). Integers throughout: floats lose hosts (29 % of 100 = 28). */
import type { Quantity } from "./policy.ts";

const ceilPercent = (pct: number, n: number) => Math.floor((n * pct + 99) / 100);
const floorPercent = (pct: number, n: number) => Math.floor((n * pct) / 100);

/** Canary and wave targets: up, at least 1, never more than there are. */
export function targetOf(q: Quantity, n: number): number {
  const value = q.kind === "count" ? q.n : ceilPercent(q.pct, n);
  return Math.min(n, Math.max(1, value));
}

/** Parallel and unavailable: down, but at least 1 unless literally 0. */
export function allowanceOf(q: Quantity, n: number): number {
  if (q.kind === "count") return q.n;
  return q.pct === 0 ? 0 : Math.max(1, floorPercent(q.pct, n));
}

/** Tolerated failures: down, may be 0. Stop when failures exceed it. */
export function toleranceOf(q: Quantity, n: number): number {
  return q.kind === "count" ? q.n : floorPercent(q.pct, n);
}

/** Hosts that must stay available: up. */
export function floorOf(q: Quantity, n: number): number {
  return q.kind === "count" ? q.n : ceilPercent(q.pct, n);
}

/** Literally nothing: "no canary", "none may be down". */
export function isZero(q: Quantity): boolean {
  return (q.kind === "count" ? q.n : q.pct) === 0;
}

export function describe(q: Quantity): string {
  return q.kind === "count" ? String(q.n) : `${q.pct} %`;
}

/** `3` or `10%`; null for anything else. Whole numbers only. */
export function parseQuantity(text: string | number): Quantity | null {
  const match = /^(\d+)\s*(%?)$/.exec(String(text).trim());
  if (!match) return null;
  const value = Number(match[1]);
  if (match[2] === "%") return value <= 100 ? { kind: "percent", pct: value } : null;
  return { kind: "count", n: value };
}
