/** What must be true right before something is erased or secret: asked again, strictly, over our own ssh. */
import { readFile } from "node:fs/promises";
import { FleetError, toFailure } from "../errors.ts";
import type { DiskFacts, HostFacts } from "../host/protocol.ts";
import { keysOf, type PhaseContext } from "./context.ts";
import { namesOf } from "./disk.ts";
import { scriptProblem } from "./disk-script.ts";
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
  if (disk === null) return null;
  const here = facts.disks.find((d) =>
    disk.serial === "" || d.serial === ""
      ? namesOf(d).some((n) => disk.names.includes(n))
      : d.serial === disk.serial,
  );
  const list = facts.disks.map((d) => `${namesOf(d)[0]} ${d.model} ${d.serial}`.trim()).join(", ") || "none";
  if (!here) {
    throw refusal(
      c,
      `${disk.path} (${disk.model} ${disk.serial}) is not there in the installer`,
      `its disks are: ${list}`,
    );
  }
  if (here.size !== disk.size)
    throw refusal(c, `${disk.path} has another size than when planned`, `its disks are: ${list}`);
  return here;
}

const refusal = (c: PhaseContext, message: string, hint: string) =>
  new FleetError("install-refused", `${c.host.name}: ${message}; nothing is erased`, { hint });

/** The disk of the plan, and a script that formats this disk and no other. */
export async function assertErasable(c: PhaseContext, facts: HostFacts): Promise<void> {
  const here = assertDisk(c, facts);
  const { disk } = c.target;
  if (here === null || disk === null) return;
  const script = await readFile(c.target.disko, "utf8").catch(() => "");
  const others = facts.disks.filter((d) => d !== here).map(namesOf);
  const known = { ...disk, names: [...new Set([...disk.names, ...namesOf(here)])] };
  const problem = scriptProblem(script, known, others);
  if (problem !== null) throw refusal(c, problem, "build it from the inventory that names this disk");
}
