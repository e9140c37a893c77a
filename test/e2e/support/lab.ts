/** One lab per test file (or test), driven through the program itself and put down whatever happens. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";
import { labFault, labPowerCycle, labRelease, labStatus } from "../../../src/lab/index.ts";
import type { Behaviour } from "../../../src/lab/machine/system.ts";
import { FleetEvent, VersionLine } from "../../../src/rollout/events.ts";
import { openStore } from "../../../src/store/open.ts";
import { type Ran, type RunOptions, run, type Started, start } from "../../support/cli-process.ts";

const HostRow = z.object({
  name: z.string(),
  role: z.string(),
  power: z.string(),
  current: z.string(),
  profile: z.string(),
  bootDefault: z.string(),
  faults: z.array(z.string()),
  armed: z.array(z.string()),
  logs: z.record(z.string(), z.array(z.string())),
});
export type HostRow = z.infer<typeof HostRow>;
const LabStatus = z.object({ head: z.string(), hosts: z.array(HostRow) });

export interface LabOptions {
  readonly hosts: number;
  readonly sites?: number;
  readonly blank?: boolean;
  /** Laid over the lab's own `rollout:` stanza. */
  readonly rollout?: Readonly<Record<string, unknown>>;
}

/** Timers that keep every step, but none of the waiting. */
export const QUICK = {
  minHealthyTime: "100ms",
  soak: { canary: "0s", wave: "0s" },
  finalBake: "0s",
  maxParallel: "50%",
  maxUnavailable: "50%",
} as const;

export type FleetLab = Awaited<ReturnType<typeof startLab>>;

export async function startLab(o: LabOptions) {
  const dir = await mkdtemp(join(tmpdir(), "macula-e2e-"));
  const labDir = join(dir, "lab");
  const inventory = join(labDir, "inventory.yaml");
  const lab = ["--dir", labDir];
  const env = { HOME: dir, XDG_STATE_HOME: join(dir, "state"), MACULA_FLEET_INVENTORY: inventory };
  const children: Started[] = [];
  const begin = (args: readonly string[], more: RunOptions = {}): Started => {
    const child = start(args, { ...more, cwd: more.cwd ?? dir, env: { ...env, ...more.env } });
    children.push(child);
    return child;
  };
  const fleet = (...args: string[]): Promise<Ran> => begin(args).done;
  const down = async () => {
    for (const child of children) child.signal("SIGKILL");
    await Promise.allSettled(children.map((c) => c.done));
    await run(["lab", "down", ...lab], { env });
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  const must = async (...args: string[]): Promise<Ran> => {
    const ran = await fleet(...args);
    if (ran.code !== 0)
      throw new Error(`macula-fleet ${args.join(" ")}: ${ran.code}\n${ran.stdout}${ran.stderr}`);
    return ran;
  };
  const events = async (id: string): Promise<readonly FleetEvent[]> => {
    await using store = await openStore(join(labDir, "state", "state.db"), { env, fleet: "simulated-lab" });
    return store.events(id);
  };
  try {
    const size = ["--hosts", String(o.hosts), ...(o.sites ? ["--sites", String(o.sites)] : [])];
    await must("lab", "up", ...lab, ...size, ...(o.blank ? ["--blank"] : []));
    if (o.rollout) await lay(inventory, o.rollout);
  } catch (error) {
    await down();
    throw error;
  }
  return {
    dir,
    inventory,
    env,
    fleet,
    must,
    begin,
    down,
    events,
    /** Through `lab status -o json`. */
    async hosts(): Promise<HostRow[]> {
      return LabStatus.parse(JSON.parse((await must("lab", "status", ...lab, "-o", "json")).stdout)).hosts;
    },
    /** `node-01` -> the revision it runs; commits to; boots next. */
    async revisions(): Promise<Record<string, string>> {
      const hosts = (await labStatus(labDir))?.hosts ?? [];
      return Object.fromEntries(hosts.map((h) => [h.name, revisionOf(h)]));
    },
    fault: (host: string, kind: string) =>
      kind === "power-cycle" ? labPowerCycle(labDir, host) : labFault(labDir, host, kind),
    release(name: string, behaviour?: Behaviour, ...hosts: string[]): void {
      labRelease(labDir, name, {
        ...(behaviour ? { behaviour } : {}),
        ...(hosts.length > 0 ? { hosts } : {}),
      });
    },
  };
}

/** What a host runs and will boot: one word when they agree, `runs/profile/boot` when not. */
export function revisionOf(h: Pick<HostRow, "current" | "profile" | "bootDefault">): string {
  const names = [h.current, h.profile, h.bootDefault].map((p) => p.slice(p.lastIndexOf("-") + 1));
  return new Set(names).size === 1 ? (names[0] ?? "") : names.join("/");
}

async function lay(file: string, over: Readonly<Record<string, unknown>>): Promise<void> {
  const document = parseDocument(await readFile(file, "utf8"));
  for (const [key, value] of Object.entries(over)) document.setIn(["rollout", key], value);
  await writeFile(file, document.toString({ lineWidth: 0 }));
}

/** Every line of an ndjson stream, each checked against the published schema. */
export function eventsOf(ndjson: string): FleetEvent[] {
  const [first = "", ...rest] = ndjson.trim().split("\n");
  VersionLine.parse(JSON.parse(first));
  return rest.map((line) => FleetEvent.parse(JSON.parse(line)));
}

export const runId = (ran: Ran): string => {
  const id = /\b[rbi]-[0-9a-z]{6,}/.exec(`${ran.stdout}\n${ran.stderr}`)?.[0];
  if (id === undefined) throw new Error(`no run id in\n${ran.stdout}\n${ran.stderr}`);
  return id;
};

/** The hosts' walk through their states, in order: `node-01` -> ["preflight", …]. */
export function walks(events: readonly FleetEvent[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const e of events) {
    if (e.type === "host.state" && e.host !== undefined && e.data.from !== e.data.to)
      all[e.host] = [...(all[e.host] ?? []), e.data.to];
  }
  return all;
}

/** How often a host itself says that it activated something for a run. */
export const activations = (host: HostRow, run: string): number =>
  (host.logs[run] ?? []).filter((line) => line.includes("switch-to-configuration test")).length;

/** What contract §5 and §6 promise of every journal. Null when it holds. */
export function broken(events: readonly FleetEvent[]): string | null {
  const gap = events.findIndex((e, i) => e.seq !== i + 1);
  if (gap >= 0) return `seq ${events[gap]?.seq} at place ${gap + 1}`;
  const begun = new Set<string>();
  const confirmed = new Set<string>();
  for (const e of events) {
    if (e.type !== "host.state" || e.data.from === e.data.to) continue;
    const key = `${e.host} attempt ${e.attempt}`;
    // Back to staged: the host was asked, and nothing had begun on it.
    if (e.data.to === "staged") begun.delete(key);
    if (e.data.to === "activating" && e.data.from === "staged") {
      if (begun.has(key)) return `${key} activated twice`;
      begun.add(key);
    }
    if (e.data.to === "confirming") confirmed.add(key);
    if (e.data.to === "committing" && !confirmed.has(key)) return `${key} committed without confirmation`;
  }
  return null;
}
