/** Starting a lab in a directory. */
import { existsSync, readdirSync } from "node:fs";
import { FleetError } from "../errors.ts";
import { systemClock } from "../kernel/clock.ts";
import { removeLabFiles } from "./down.ts";
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
  const kept = existsSync(files.hosts) && readdirSync(files.hosts).length > 0;
  // What a lab left behind that was killed: new hosts must not meet the runs and keys of old ones.
  if (before && !kept) removeLabFiles(dir);
  const settings: LabSettings = {
    dir: files.dir,
    hosts,
    sites: options.sites ?? defaultSites(hosts),
    blank: options.blank ?? false,
  };
  try {
    return await (options.foreground ? inForeground(settings, options) : detached(settings, options));
  } catch (error) {
    if (!kept) removeLabFiles(dir);
    throw startFailure(error, dir, signal);
  }
}

async function detached(settings: LabSettings, { signal, onReady }: LabUpOptions): Promise<RunningLab> {
  await spawnDaemon(settings, signal);
  const lab = readRunningLab(settings.dir);
  if (!lab) throw new Error("it ended as soon as it had started");
  onReady?.(lab);
  return lab;
}

async function inForeground(settings: LabSettings, { signal, onReady }: LabUpOptions): Promise<RunningLab> {
  const lab = await startLab(settings, systemClock);
  onReady?.(lab.running);
  const interrupted = new Promise<boolean>((resolve) =>
    signal.addEventListener("abort", () => resolve(false), { once: true }),
  );
  const keep = await Promise.race([lab.stopRequested, interrupted]);
  await lab.stop({ keep });
  if (!keep) removeLabFiles(settings.dir);
  return lab.running;
}

function startFailure(error: unknown, dir: string, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof FleetError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new FleetError("lab-failed", `the lab in ${dir} did not start: ${why}`, { cause: error });
}

function checkSize({ hosts, sites }: LabUpOptions): void {
  const whole = (n: number) => Number.isInteger(n) && n >= 1;
  if (!whole(hosts) || hosts > 1000) throw new FleetError("usage", `a lab has 1 to 1000 hosts, not ${hosts}`);
  if (sites !== undefined && (!whole(sites) || sites > hosts)) {
    throw new FleetError("usage", `${hosts} hosts cannot be spread over ${sites} sites`);
  }
}
