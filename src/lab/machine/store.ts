/** The machine's Nix store: validity, room, roots, garbage collection. [pure] */
import type { Disk, Machine } from "./model.ts";
import { withDisk } from "./model.ts";
import type { StoreEntry } from "./system.ts";

/** Bytes the machine's other files take. */
const SYSTEM_BYTES = 600 * 2 ** 20;

export function freeBytes(m: Machine): number {
  if (m.faults.includes("disk-full")) return 0;
  const used = Object.values(m.disk.store).reduce((n, e) => n + e.size, SYSTEM_BYTES);
  return Math.max(0, m.disk.capacity - used);
}

export type Received =
  | { readonly ok: true; readonly machine: Machine }
  | { readonly ok: false; readonly error: string };

/** Registers one imported path, as `nix-store --import` does: its references must be valid already. */
export function receivePath(m: Machine, entry: StoreEntry): Received {
  if (m.disk.store[entry.path]) return { ok: true, machine: m };
  if (freeBytes(m) < entry.size) {
    return { ok: false, error: `error: writing to file: No space left on device (${entry.path})` };
  }
  const missing = entry.refs.find((ref) => ref !== entry.path && !m.disk.store[ref]);
  if (missing) return { ok: false, error: `error: path '${missing}' is not valid` };
  return { ok: true, machine: withDisk(m, { store: { ...m.disk.store, [entry.path]: entry } }) };
}

/** Every path reachable from `roots` that is valid here. */
export function closureIn(disk: Disk, roots: Iterable<string>): ReadonlySet<string> {
  const seen = new Set<string>();
  const todo = [...roots];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const entry = disk.store[path];
    if (!entry || seen.has(path)) continue;
    seen.add(path);
    todo.push(...entry.refs);
  }
  return seen;
}

/** What must stay: generations, our roots, what runs and what was booted, what the loader may start. */
export function liveRoots(m: Machine): readonly string[] {
  return [
    ...m.disk.generations.map((g) => g.path),
    ...Object.values(m.disk.roots),
    ...(m.memory ? [m.memory.current, m.memory.booted] : []),
    m.disk.bootDefault,
    m.disk.bootOnce,
  ];
}

export function collectGarbage(m: Machine): {
  readonly machine: Machine;
  readonly deleted: number;
  readonly freed: number;
} {
  const live = closureIn(m.disk, liveRoots(m));
  const all = Object.values(m.disk.store);
  const dead = all.filter((e) => !live.has(e.path));
  const store = Object.fromEntries(all.filter((e) => live.has(e.path)).map((e) => [e.path, e]));
  return {
    machine: withDisk(m, { store }),
    deleted: dead.length,
    freed: dead.reduce((n, e) => n + e.size, 0),
  };
}
