/** An installation, in order. k0sctl's idea: the product is a list; what each phase needs and leaves is beside it. */
import { FleetError } from "../errors.ts";
import type { HostDriver, HostOperations } from "../host/driver.ts";
import type { CheckConfig, Host } from "../inventory/model.ts";
import type { Clock } from "../kernel/clock.ts";
import type { HostState } from "../rollout/events.ts";
import type { Target } from "../transport/transport.ts";
import { type AnywherePhase, anywhereArguments } from "./anywhere/command.ts";
import { runAnywhere } from "./anywhere/run.ts";
import type { HostIdentity } from "./identity.ts";
import type { InstallTarget } from "./plan.ts";

export interface PhaseContext {
  /** As the inventory has it. */
  readonly host: Host;
  readonly target: InstallTarget;
  readonly identity: HostIdentity;
  /** Directory laid over the new system's root. */
  readonly extraFiles: string;
  readonly driver: Pick<HostDriver, "observe" | "check"> & Pick<HostOperations, "facts">;
  readonly targetOf: (host: Host) => Target;
  readonly checks: readonly CheckConfig[];
  readonly program: readonly string[];
  readonly kexec?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

export interface InstallPhase {
  readonly name: string;
  readonly state: HostState;
  readonly intent: string;
  readonly deadlineMs: number;
  readonly skip?: (c: PhaseContext) => boolean;
  readonly run: (c: PhaseContext, deadlineMs: number) => Promise<void>;
}

const MINUTE = 60_000;

export const INSTALL_PHASES: readonly InstallPhase[] = [
  {
    name: "kexec",
    state: "kexec",
    intent: "starts the installer in place of the running system",
    deadlineMs: 15 * MINUTE,
    skip: (c) => c.target.inInstaller,
    run: (c, deadline) => anywhere(c, "kexec", deadline),
  },
  {
    name: "disko",
    state: "partitioning",
    intent: "erases and partitions its disk",
    deadlineMs: 20 * MINUTE,
    run: async (c, deadline) => {
      await assertInstaller(c);
      await anywhere(c, "disko", deadline);
    },
  },
  {
    name: "install",
    state: "installing",
    intent: "copies and installs the system",
    deadlineMs: 60 * MINUTE,
    run: async (c, deadline) => {
      await assertInstaller(c);
      await anywhere(c, "install", deadline);
    },
  },
  {
    name: "reboot",
    state: "restarting",
    intent: "restarts into the new system",
    deadlineMs: 10 * MINUTE,
    run: (c, deadline) => anywhere(c, "reboot", deadline),
  },
  {
    name: "verify",
    state: "verifying",
    intent: "waits for the new system to prove itself",
    deadlineMs: 10 * MINUTE,
    run: verify,
  },
];

async function anywhere(c: PhaseContext, phase: AnywherePhase, deadlineMs: number): Promise<void> {
  const target = c.targetOf(c.host);
  await runAnywhere({
    program: c.program,
    args: anywhereArguments({
      phase,
      target,
      disko: c.target.disko,
      toplevel: c.target.toplevel,
      extraFiles: c.extraFiles,
      ...(target.identityFile === undefined ? {} : { identityFile: target.identityFile }),
      ...(c.kexec === undefined ? {} : { kexec: c.kexec }),
    }),
    deadlineMs,
    signal: c.signal,
    onStep: c.note,
  });
}

/**
 * nixos-anywhere checks no host key at all. So before anything is erased or secret we log in ourselves, strictly:
 * the installer carries the old system's host key. And it must be the installer.
 */
async function assertInstaller(c: PhaseContext): Promise<void> {
  const facts = await c.driver.facts({ ...c.host, user: "root" }, { signal: c.signal });
  if (facts.os.variant === "installer") return;
  throw new FleetError(
    "install-refused",
    `${c.host.name} runs ${facts.os.id || "something"}, not the installer: nothing is erased`,
    {
      hint: "it has probably restarted into its old system; run the same command again",
    },
  );
}

/** Only a new boot of exactly the system we built, under the key we made, and healthy, is "installed". */
async function verify(c: PhaseContext, deadlineMs: number): Promise<void> {
  const { clock, signal } = c;
  const until = clock.now() + deadlineMs;
  const pinned: Host = { ...c.host, identity: { ...c.host.identity, hostKeys: [c.identity.publicKey] } };
  let last = "it has not answered yet";
  while (clock.now() < until) {
    try {
      const seen = await c.driver.observe(pinned, { signal, fresh: true });
      if (seen.current !== c.target.toplevel)
        last = `it runs ${seen.current || "no system"}, not ${c.target.toplevel}`;
      else if (seen.bootId === c.target.bootId) last = "it has not restarted yet";
      else {
        const results = await c.driver.check(pinned, { signal, checks: c.checks, baselineFailed: [] });
        const bad = results.filter((r) => r.status !== "ok");
        if (bad.length === 0) return;
        last = bad.map((r) => `${r.name}: ${r.message}`).join("; ");
      }
    } catch (error) {
      signal.throwIfAborted();
      // A foreign key is no matter of waiting.
      if (error instanceof FleetError && error.code === "host-key-changed") last = error.message;
      else if (!(error instanceof FleetError) || !(error.transient || error.code === "auth-refused"))
        throw error;
      else last = error.message;
    }
    await clock.sleep(Math.min(5_000, deadlineMs / 50), signal);
  }
  throw new FleetError("install-failed", `the new system did not prove itself: ${last}`, {
    hint: "look at the machine's screen; macula-fleet install goes on from here",
  });
}
