/** Stopping a lab and taking away what it wrote. */
import { existsSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { FleetError } from "../errors.ts";
import { connectLab } from "./control.ts";
import { labLayout } from "./layout.ts";
import { alive, readRunningLab } from "./running.ts";

/** Stops the lab in `dir` and removes what `labUp` made there, or with `keep` only stops it. True: there was one. */
export async function labDown(dir: string, o: { readonly keep?: boolean } = {}): Promise<boolean> {
  const lab = readRunningLab(dir);
  if (!lab) return false;
  const keep = o.keep ?? false;
  if (alive(lab.pid)) {
    const control = connectLab(dir);
    // The token proves that the process is this lab and not another one that got its number.
    const mine = await control.stop({ keep }).then(
      () => true,
      () => false,
    );
    for (let i = 0; mine && i < 200 && alive(lab.pid) && lab.pid !== process.pid; i++) await delay(25);
    if (mine && alive(lab.pid) && lab.pid !== process.pid) {
      throw new FleetError("lab-failed", `the lab (process ${lab.pid}) does not end`, {
        hint: `kill ${lab.pid}`,
      });
    }
  }
  if (!keep) removeLabFiles(dir);
  return true;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Removes what a lab wrote; files of others, and directories that hold any, stay. */
export function removeLabFiles(dir: string): void {
  const f = labLayout(dir);
  const files = [
    f.inventory,
    f.identity,
    f.identityPub,
    f.knownHosts,
    f.lab,
    f.releases,
    f.log,
    f.nixosAnywhere,
  ];
  for (const file of files) if (isFile(file)) rmSync(file, { force: true });
  for (const made of [f.hosts, f.state, f.cache]) rmSync(made, { recursive: true, force: true });
  for (const made of [f.bin, f.dir]) {
    if (existsSync(made) && readdirSync(made).length === 0) rmdirSync(made);
  }
}
