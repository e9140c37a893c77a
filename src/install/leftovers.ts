/**
 * nixos-anywhere processes a killed controller has left behind: two at one machine would be a disaster. They are known
 * by a word in their environment, which everything they start inherits: it is there from their first moment on, so none
 * can begin unrecorded, and it says whose they are, so that no number given out again is mistaken for one of them.
 */
import { readdir, readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { FleetError } from "../errors.ts";

const MARK = "MACULA_FLEET_WORK";

/** For the environment of whatever works in `dir`, the directory of one machine's installation. */
export const workingIn = (dir: string): Readonly<Record<string, string>> => ({ [MARK]: dir });

const BETWEEN_LOOKS_MS = 10;
/** A process that no signal ends waits for a device; a minute is longer than any that comes back. */
const LOOKS = 6000;

/**
 * Ends all that worked below `dir`, in directories that `theirs` knows; returns how many, once they are gone.
 * Without /proc nothing is found. Throws install-failed when one stays.
 */
export async function endLeftovers(
  dir: string,
  theirs: (workDir: string) => boolean = () => true,
): Promise<number> {
  const ended = new Set<number>();
  for (let look = 0; look < LOOKS; look++) {
    const found = await workersBelow(dir, theirs);
    if (found.length === 0) return ended.size;
    for (const pid of found) {
      ended.add(pid);
      try {
        globalThis.process.kill(pid, "SIGKILL");
      } catch {
        // It has just ended by itself.
      }
    }
    await setTimeout(BETWEEN_LOOKS_MS);
  }
  throw new FleetError(
    "install-failed",
    `processes of an earlier attempt do not end: ${[...ended].join(", ")}`,
    {
      hint: "see what they wait for: ps -o pid,stat,wchan,args -p PID; two at one machine would be a disaster",
    },
  );
}

async function workersBelow(dir: string, theirs: (workDir: string) => boolean): Promise<number[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^[1-9]\d*$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // Those of other users cannot be read, and are not ours.
      const words = (await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")).split("\0");
      const at = words.find((w) => w.startsWith(`${MARK}=`))?.slice(MARK.length + 1);
      const below = at !== undefined && (at === dir || at.startsWith(`${dir}/`));
      return below && theirs(at) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}
