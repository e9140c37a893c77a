/** missing, stage, generations, gc. [pure] */
import { otherRuns } from "../activation.ts";
import { profilePath, withDisk } from "../model.ts";
import { collectGarbage, freeBytes, liveRoots } from "../store.ts";
import {
  checkFence,
  did,
  needNumber,
  needRun,
  needSystem,
  type Operation,
  Refused,
  said,
} from "./operation.ts";

const KiB = 1024;

export const missing: Operation = (m, p) => {
  const asked = (p.PATHS ?? "").split("\n").filter((path) => path !== "");
  return said(m, {
    schema: 1,
    missing: asked.filter((path) => !m.disk.store[path]),
    storeFree: Math.floor(freeBytes(m) / KiB),
  });
};

/** A lab has no binary cache, so the host gets nothing from one; what it lacks is copied. */
export const fetch: Operation = (m, p) => {
  needSystem(p, "TO");
  return did(m, "partly");
};

/** Simulated hosts have no network of their own: everything is copied to them. */
export const lend: Operation = () => {
  throw new Refused("unsuitable", "it has no address on a network of its own");
};

export const borrow: Operation = (_m, p) => {
  throw new Refused("incomplete", `${p.ADDRESS ?? ""} did not bring everything`);
};

export const stage: Operation = (m, p) => {
  const run = needRun(p);
  const to = needSystem(p, "TO");
  const from = p.FROM ? needSystem(p, "FROM") : null;
  checkFence(m, p);
  const entry = m.disk.store[to];
  if (!entry) throw new Refused("incomplete", `${to} is not complete in this store`);
  if (!entry.system) throw new Refused("unsuitable", `${to} is not a NixOS system`);
  const roots = { ...m.disk.roots, [`${run}-to`]: to, ...(from ? { [`${run}-from`]: from } : {}) };
  const kernel = m.disk.store[m.memory?.booted ?? ""]?.system?.kernel;
  const rebootNeeded = kernel !== undefined && kernel !== entry.system.kernel;
  return said(withDisk(m, { roots }), { schema: 1, did: "staged", rebootNeeded });
};

export const generations: Operation = (m) =>
  said(m, {
    schema: 1,
    generations: m.disk.generations.map((g) => {
      const system = m.disk.store[g.path]?.system;
      const version = system?.version ?? "";
      return { ...g, version, kernel: system?.kernel ?? "", current: g.number === m.disk.profile };
    }),
  });

export const gc: Operation = (m, p) => {
  const keep = needNumber(p, "KEEP", 5);
  const busy = otherRuns(m, "none")[0];
  if (busy) throw new Refused("busy", `${busy} is active`);
  const state = m.disk.state;
  const bare = withDisk(m, { generations: [] });
  const precious = new Set([...liveRoots(bare), profilePath(m.disk), state?.from ?? "", state?.to ?? ""]);
  const gone = m.disk.generations.filter(
    (g, i, all) => i < all.length - keep && !precious.has(g.path) && g.number !== m.disk.profile,
  );
  const roots =
    state && !m.disk.roots["previous-healthy"]
      ? { ...m.disk.roots, "previous-healthy": state.from }
      : m.disk.roots;
  const left = m.disk.generations.filter((g) => !gone.includes(g));
  const { machine, freed } = collectGarbage(withDisk(m, { generations: left, roots }));
  return said(machine, {
    schema: 1,
    generations: gone.map((g) => String(g.number)).reverse(),
    freed: Math.floor(freed / KiB),
  });
};
