/** The system profile and its generations. [pure] */
import type { Machine, SystemGeneration } from "./model.ts";
import { profilePath, withDisk } from "./model.ts";

/** `nix-env -p /nix/var/nix/profiles/system --set PATH`: no new generation when the newest one is that path already. */
export function setProfile(m: Machine, path: string, now: number): Machine {
  if (profilePath(m.disk) === path) return m;
  const newest = m.disk.generations.at(-1);
  if (newest?.path === path) return withDisk(m, { profile: newest.number });
  const generation: SystemGeneration = {
    number: (newest?.number ?? 0) + 1,
    path,
    date: Math.floor(now / 1000),
  };
  return withDisk(m, {
    generations: [...m.disk.generations, generation],
    profile: generation.number,
  });
}
