/** What must be true right before something is erased or secret: asked again, strictly, over our own ssh. */
import { readFile } from "node:fs/promises";
import { FleetError, toFailure } from "../errors.ts";
import type { DiskFacts, HostFacts } from "../host/protocol.ts";
import { keysOf, type PhaseContext } from "./context.ts";
import { type DataDisk, stateOf } from "./data-disks.ts";
import { asDisk, type Disk, namesOf, partitionsOf } from "./disk.ts";
import { labelsIn, scriptProblem, usesVolumeGroups } from "./disk-script.ts";
import { atPlace, findInstaller } from "./whereabouts.ts";

/** The machine we looked at when planning, proven by its key, and it runs the installer. Looks for it if need be. */
export async function assertInstaller(c: PhaseContext): Promise<HostFacts> {
  const { host, signal } = c;
  const keys = keysOf(c);
  const look = () => c.driver.facts(atPlace(host, c.place ?? host, keys), { signal });
  let facts: HostFacts;
  try {
    facts = await look();
  } catch (error) {
    signal.throwIfAborted();
    const facts_ = c.driver.facts.bind(c.driver);
    const found = await findInstaller({
      host,
      hostKeys: keys,
      macs: c.target.macs,
      facts: facts_,
      hints: c.hints,
      signal,
    });
    if (found === null) {
      const failure = toFailure(error);
      if (failure.code !== "unreachable" && failure.code !== "connection-lost") throw error;
      throw new FleetError(
        "install-failed",
        `${host.name} does not answer as an installer: ${failure.message}`,
        {
          hint: "look at its screen: it may have another address now, or have restarted; macula-fleet install --continue goes on",
        },
      );
    }
    c.place = found;
    c.note(`answers at ${found.address}:${found.port} now`);
    facts = await look();
  }
  if (facts.os.variant === "installer") return facts;
  throw new FleetError(
    "install-refused",
    `${host.name} runs ${facts.os.id || "something"}, not the installer: nothing is erased`,
    { hint: "it has probably restarted into its old system; macula-fleet install --continue starts over" },
  );
}

/** The disk of the plan, by serial and size; null: a lab's container, which has none. Throws `install-refused`. */
export function assertDisk(c: PhaseContext, facts: HostFacts): DiskFacts | null {
  const { disk } = c.target;
  return disk === null ? null : find(c, facts, disk);
}

function find(c: PhaseContext, facts: HostFacts, disk: Disk): DiskFacts {
  const [here, ...more] = facts.disks.filter((d) => isPlanned(d, disk));
  const list = facts.disks.map((d) => `${namesOf(d)[0]} ${d.model} ${d.serial}`.trim()).join(", ") || "none";
  const known = [disk.model, disk.serial].filter(Boolean).join(" ");
  const named = known === "" ? disk.path : `${disk.path} (${known})`;
  if (!here) throw refusal(c, `${named} is not there in the installer`, `its disks are: ${list}`);
  if (more.length > 0)
    throw refusal(c, `${named} could be any of ${more.length + 1} disks`, `its disks are: ${list}`);
  if (here.size !== disk.size)
    throw refusal(c, `${disk.path} has another size than when planned`, `its disks are: ${list}`);
  return here;
}

/** The further disks of the plan, and that those which are not to be erased are what the plan saw of them. */
function findData(c: PhaseContext, facts: HostFacts, system: DiskFacts): ReadonlyMap<DataDisk, DiskFacts> {
  const found = new Map<DataDisk, DiskFacts>();
  for (const disk of c.target.data) {
    const here = find(c, facts, disk);
    if (here === system || [...found.values()].includes(here))
      throw refusal(c, `${disk.path} is another disk of the plan as well`, "plan it again");
    found.set(disk, here);
    const state = stateOf(here, disk);
    // A disko that was interrupted has begun with a blank disk; it goes on with it.
    const fits = disk.becomes === "formatted" ? state !== "other" : state === "as-made";
    if (disk.becomes !== "erased" && !fits) {
      const now = asDisk(here, disk.path).contents.join(", ") || "blank";
      throw refusal(
        c,
        `${disk.path} is to be ${disk.becomes}, but is not what it was when planned: ${now}`,
        "plan it again",
      );
    }
  }
  return found;
}

/** A serial says it alone. Without one a stable name does, and only where there was none either, the kernel's. */
function isPlanned(d: DiskFacts, disk: Disk): boolean {
  if (disk.serial !== "") return d.serial === disk.serial;
  const stable = stableOf(disk);
  return namesOf(d).some((n) => (stable.length > 0 ? stable : disk.names).includes(n));
}

const stableOf = (disk: Disk) => disk.names.filter((n) => n.startsWith("/dev/disk/"));

const refusal = (c: PhaseContext, message: string, hint: string) =>
  new FleetError("install-refused", `${c.host.name}: ${message}; nothing is erased`, { hint });

/** The disks of the plan, and a script that formats these disks and no others. */
export async function assertErasable(c: PhaseContext, facts: HostFacts): Promise<void> {
  const here = assertDisk(c, facts);
  const { disk } = c.target;
  if (here === null || disk === null) return;
  const data = findData(c, facts, here);
  // The simulated lab has no script to read.
  if (c.standIn) return;
  const script = await readFile(c.target.disko, "utf8").catch((error: unknown) => {
    throw refusal(
      c,
      `its disk script ${c.target.disko} cannot be read (${toFailure(error).message})`,
      "plan it again",
    );
  });
  const problem = scriptProblem(
    script,
    { ...disk, names: namesNow(disk, here, facts) },
    [...data].map(([d, found]) => ({ ...d, names: namesNow(d, found, facts) })),
  );
  if (problem !== null)
    throw refusal(c, problem, "build it from an inventory that names these disks and no others");
  const planned = new Set([here, ...data.values()]);
  const rival = rivalOf(
    script,
    facts.disks.filter((d) => !planned.has(d)),
  );
  if (rival !== null) throw refusal(c, rival, "take that disk out while this one is installed, or erase it");
}

/** The kernel may have numbered them anew: of the names it had when planned, only the stable ones still mean it. */
function namesNow(disk: Disk, here: DiskFacts, facts: HostFacts): readonly string[] {
  const taken = new Set(facts.disks.filter((d) => d !== here).flatMap(namesOf));
  return [...new Set([...stableOf(disk).filter((n) => !taken.has(n)), ...namesOf(here)])];
}

/** What the script asks for by a name that another disk of the machine answers to as well: it could get either. */
function rivalOf(script: string, others: readonly DiskFacts[]): string | null {
  const labels = labelsIn(script);
  const groups = usesVolumeGroups(script);
  for (const d of others) {
    for (const { type, label } of partitionsOf(d)) {
      if (label !== "" && labels.has(label))
        return `${namesOf(d)[0]} has a partition named ${label}, too, by which its disk script finds its own`;
      if (groups && type === "LVM2_member")
        return `its disk script makes volume groups, and ${namesOf(d)[0]} may hold one of the same name`;
    }
  }
  return null;
}
