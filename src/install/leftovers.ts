/** nixos-anywhere processes a killed controller has left behind: two at one machine would be a disaster. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const NAME = "anywhere.pid";

/** Remembers a process group by its leader and when that was started: numbers are given out again. */
export async function rememberGroup(dir: string, pid: number): Promise<void> {
  await writeFile(join(dir, NAME), `${pid} ${await startOf(pid)}\n`, { mode: 0o600 });
}

/** Ends the groups remembered in the directories below `dir` that are still there; returns how many. */
export async function endLeftovers(dir: string): Promise<number> {
  let ended = 0;
  for (const name of await readdir(dir).catch(() => [])) {
    const text = await readFile(join(dir, name, NAME), "utf8").catch(() => "");
    const [pid = "", start = ""] = text.trim().split(" ");
    if (!/^[1-9]\d+$/.test(pid) || start === "" || start !== (await startOf(Number(pid)))) continue;
    try {
      globalThis.process.kill(-Number(pid), "SIGKILL");
      ended += 1;
    } catch {
      // It has just ended by itself.
    }
  }
  return ended;
}

/** Clock ticks since boot; empty where that cannot be known, and then nothing is ended. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
