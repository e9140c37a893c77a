/** Erasing a machine's disk: its installer is started in memory, as for an installation, and erases it from there. */
import { parseAnswer } from "../host/answer.ts";
import { scriptCommand } from "../host/commands.ts";
import type { HostFacts } from "../host/protocol.ts";
import { Done } from "../host/protocol.ts";
import { refusalOf } from "../host/refusals.ts";
import { keysOf, type PhaseContext } from "../install/context.ts";
import { assertDisk, assertInstaller } from "../install/gates.ts";
import { INSTALL_PHASES, type InstallPhase } from "../install/phases.ts";
import { type InstallPlan, planInstall } from "../install/plan.ts";
import { atPlace } from "../install/whereabouts.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import type { Session } from "../transport/transport.ts";

/** A journalled run like an installation's, of another kind. */
export interface WipePlan extends InstallPlan {
  readonly wipes: string;
}

export interface WipeInput {
  readonly id: string;
  readonly host: Host;
  readonly inventory: Inventory;
  readonly facts: HostFacts;
  readonly now: number;
  readonly digest: (text: string) => string;
  /** Anything that exists: nixos-anywhere wants two paths, and only starts its installer. */
  readonly nothing: string;
}

export function planWipe(o: WipeInput): WipePlan {
  const { host, nothing } = o;
  const plan = planInstall({
    id: o.id,
    inventory: o.inventory,
    // Its data is not asked about, and not touched.
    hosts: [{ ...host, os: "nixos", state: "active", disk: { ...host.disk, data: {} } }],
    revision: "wipe",
    now: o.now,
    facts: new Map([[host.name, o.facts]]),
    silent: new Map(),
    systems: new Map([[host.name, { toplevel: nothing, size: 0 }]]),
    disko: new Map([[host.name, nothing]]),
    reinstall: true,
    digest: o.digest,
  });
  return { ...plan, wipes: host.name };
}

const DAY = 24 * 3_600_000;

export function wipePhases(
  connect: (host: Host, signal: AbortSignal) => Promise<Session>,
): readonly InstallPhase[] {
  return [
    ...INSTALL_PHASES.filter((p) => p.name === "kexec"),
    {
      name: "wipe",
      state: "partitioning",
      intent: "erases its disk, reads it back, switches it off",
      erases: true,
      deadlineMs: 3 * DAY,
      gate: async (c) => {
        assertDisk(c, await assertInstaller(c));
      },
      run: (c, deadline) => wipe(c, deadline, connect),
    },
  ];
}

async function wipe(
  c: PhaseContext,
  deadlineMs: number,
  connect: (host: Host, signal: AbortSignal) => Promise<Session>,
): Promise<void> {
  const { disk } = c.target;
  if (disk === null) return;
  const installer = atPlace(c.host, c.place ?? c.host, keysOf(c));
  await using session = await connect(installer, c.signal);
  const { path, size, serial } = disk;
  const command = scriptCommand("wipe", "root", { DISK: path, SIZE: size, SERIAL: serial });
  const result = await session.run(command, { signal: c.signal, timeoutMs: deadlineMs });
  if (result.code !== 0) throw refusalOf(c.host.name, "wipe", result);
  const { did } = parseAnswer(c.host.name, "wipe", result.stdout, Done);
  c.note(`${path} is erased: ${did}, and reads back empty`);
}
