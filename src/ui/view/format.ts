/** Numbers as people read them. Pure. */
import prettyBytes from "pretty-bytes";
import type { Plan } from "../../plan/model.ts";
import { type Line, type Span, span } from "./line.ts";

/** `12s`, `1m42s`, `3h05m`, `2d4h`; never negative. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}s`;
  if (s < 3600) return s % 60 === 0 ? `${s / 60}m` : `${Math.floor(s / 60)}m${two(s % 60)}s`;
  const m = Math.floor(s / 60);
  if (m < 24 * 60) return m % 60 === 0 ? `${m / 60}h` : `${Math.floor(m / 60)}h${two(m % 60)}m`;
  const h = Math.floor(m / 60);
  return h % 24 === 0 ? `${h / 24}d` : `${Math.floor(h / 24)}d${h % 24}h`;
}

/** `03:12`, `1:03:12`. */
export function clockface(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const tail = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${tail}` : tail;
}

const two = (n: number): string => String(n).padStart(2, "0");

export const bytes = (n: number): string => prettyBytes(n, { binary: true });

/** `1 host`, `3 hosts`, with thin groups from 10 000 on. */
export function plural(n: number, noun: string, many = `${noun}s`): string {
  return `${count(n)} ${n === 1 ? noun : many}`;
}

export function count(n: number): string {
  return n >= 10_000 ? String(n).replace(/\B(?=(\d{3})+$)/g, " ") : String(n);
}

/** `a, b, c and 4 more`. */
export function names(list: readonly string[], most: number): string {
  if (list.length <= most + 1) return list.join(", ");
  return `${list.slice(0, most).join(", ")} and ${count(list.length - most)} more`;
}

/** What a NixOS system path calls its version: `/nix/store/…-nixos-system-node-03-26.05.3` -> `26.05.3`. */
export function systemVersion(path: string, host: string): string | null {
  const name = /-nixos-system-(.+)$/.exec(path)?.[1];
  if (name === undefined || !name.startsWith(`${host}-`)) return null;
  return name.slice(host.length + 1);
}

/** `26.05.3 → 26.05.4`, `3 versions → 26.05.4`, or the target alone where the past is unknown. */
export function versions(plan: Plan): string {
  const known = plan.hosts.flatMap((h) => (h.from === null ? [] : [systemVersion(h.from, h.name)]));
  const from = new Set(known.filter((v) => v !== null));
  const target = shortRevision(plan.revision);
  if (from.size === 0 || known.includes(null)) return `→ ${target}`;
  const [only] = from;
  return from.size === 1 && only !== undefined ? `${only} → ${target}` : `${from.size} versions → ${target}`;
}

/** A commit hash is shortened, any other name is kept. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 9) : revision;
}

/** `███×▒▒░░`: done, failed, in hand, to do; anything started shows at least one cell, and only all shows as full. */
export function bar(parts: BarParts, cells: number): Line {
  const total = Math.max(1, parts.total);
  const part = (n: number) => (n === 0 ? 0 : Math.max(1, Math.floor((n / total) * cells)));
  const failed = Math.min(part(parts.failed), cells);
  const done = Math.min(part(parts.done), cells - failed);
  const busy = Math.min(part(parts.busy), cells - failed - done);
  const all = parts.total > 0 && parts.failed + parts.done === parts.total;
  const rest = cells - failed - done - busy;
  const spans: readonly Span[] = [
    span("█".repeat(all ? done + rest + busy : done), "ok"),
    span("×".repeat(failed), "bad"),
    span(all ? "" : "▒".repeat(busy), "accent"),
    span(all ? "" : "░".repeat(rest), "dim"),
  ];
  return spans.filter((s) => s.text !== "");
}

export interface BarParts {
  readonly done: number;
  readonly failed: number;
  readonly busy: number;
  readonly total: number;
}
