/** Starting a lab in a directory, and taking it away again. */
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { FleetError } from "../errors.ts";
import { systemClock } from "../kernel/clock.ts";
import { connectLab } from "./control.ts";
import { defaultSites } from "./fleet-shape.ts";
import { type LabSettings, startLab } from "./lab.ts";
import { labLayout } from "./layout.ts";
import { alive, type RunningLab, readRunningLab } from "./running.ts";
import { spawnDaemon } from "./spawn-daemon.ts";

export interface LabUpOptions {
  readonly dir: string;
  readonly hosts: number;
  readonly sites?: number;
  /** Hosts wait in an installer instead of running release r1. */
  readonly blank?: boolean;
  /** Stay in this process until `signal` aborts or the lab is put down; default: detached. */
  readonly foreground?: boolean;
  readonly signal: AbortSignal;
  /** Called once the lab answers; needed in the foreground, where `labUp` returns only at the end. */
  readonly onReady?: (lab: RunningLab) => void;
}

/** Starts a lab. Throws `usage` | `lab-failed` | `interrupted`. */
export async function labUp(options: LabUpOptions): Promise<RunningLab> {
  const { dir, hosts, signal } = options;
  signal.throwIfAborted();
  checkSize(options);
  const before = readRunningLab(dir);
  if (before && alive(before.pid)) {
    throw new FleetError(
      "lab-failed",
      `a lab of ${before.hosts.length} simulated hosts runs in ${dir} already`,
      {
        hint: `macula-fleet lab down --dir ${dir}`,
      },
    );
  }
  const files = labLayout(dir);
  if (!before && existsSync(files.inventory)) {
    throw new FleetError("lab-failed", `${files.inventory} exists and is not a lab's: it is left alone`, {
      hint: "choose another --dir",
    });
  }
  const settings: LabSettings = {
    dir: files.dir,
    hosts,
    sites: options.sites ?? defaultSites(hosts),
    blank: options.blank ?? false,
  };
  if (!options.foreground) {
    await spawnDaemon(settings, signal);
    const lab = readRunningLab(dir);
    if (!lab) throw new FleetError("lab-failed", `the lab in ${dir} ended as soon as it had started`);
    options.onReady?.(lab);
    return lab;
  }
  const lab = await startLab(settings, systemClock);
  options.onReady?.(lab.running);
  const interrupted = new Promise<boolean>((resolve) =>
    signal.addEventListener("abort", () => resolve(false), { once: true }),
  );
  const keep = await Promise.race([lab.stopRequested, interrupted]);
  await lab.stop({ keep });
  if (!keep) removeFiles(dir);
  return lab.running;
}

function checkSize({ hosts, sites }: LabUpOptions): void {
  const whole = (n: number) => Number.isInteger(n) && n >= 1;
  if (!whole(hosts) || hosts > 1000) throw new FleetError("usage", `a lab has 1 to 1000 hosts, not ${hosts}`);
  if (sites !== undefined && (!whole(sites) || sites > hosts)) {
    throw new FleetError("usage", `${hosts} hosts cannot be spread over ${sites} sites`);
  }
}

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
  if (!keep) removeFiles(dir);
  return true;
}

/** Removes what a lab wrote; files of others, and directories that hold any, stay. */
function removeFiles(dir: string): void {
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
  for (const file of files) rmSync(file, { force: true });
  for (const made of [f.hosts, f.state, f.cache]) rmSync(made, { recursive: true, force: true });
  for (const made of [f.bin, f.dir]) {
    if (existsSync(made) && readdirSync(made).length === 0) rmdirSync(made);
  }
}
