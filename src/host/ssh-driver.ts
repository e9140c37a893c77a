/** The host protocol over SSH: one script per operation, nothing installed on the host. */
import type { z } from "zod";
import type { Host } from "../inventory/model.ts";
import type { Command } from "../kernel/shell.ts";
import type { ClosureSource } from "../nix/closures.ts";
import type { Target } from "../transport/transport.ts";
import { parseAnswer } from "./answer.ts";
import { type Elevation, hostCommands } from "./commands.ts";
import type { HostDriver, HostOperations } from "./driver.ts";
import { type HostCall, HostSessions, type Sessions } from "./host-session.ts";
import {
  CheckAnswer,
  Delivered,
  Done,
  Evidence,
  GcAnswer,
  GenerationsAnswer,
  HostFacts,
  Observation,
  Staged,
} from "./protocol.ts";
import { Seeding } from "./seed.ts";
import { copyClosure, type StageDeps } from "./stage.ts";

export interface SshDriverDeps {
  readonly pool: Sessions;
  readonly closures: ClosureSource;
  readonly targetOf: (host: Host) => Target;
  /** Deadline of one closure's transfer, ms; default 1 h. */
  readonly copyTimeoutMs?: number;
  /** The fleet's binary cache (`Inventory.cache`): hosts fetch from it what it has before the rest is copied. */
  readonly cache?: { readonly url: string; readonly publicKey: string };
  /** The neighbour that hosts take closures from; null: none. Absent: everything is copied from here. */
  readonly seedOf?: (host: Host) => Host | null;
}

export type SshDriver = HostDriver & HostOperations;

/** A driver for real hosts, and for the lab's simulated ones. Errors: see `refusals.ts` and `Transport`. */
export function createSshDriver(deps: SshDriverDeps): SshDriver {
  const sessions = new HostSessions(deps.pool, deps.targetOf);
  const copyTimeoutMs = deps.copyTimeoutMs ?? 3_600_000;
  const { seedOf } = deps;
  const stageDeps: StageDeps = {
    sessions,
    closures: deps.closures,
    copyTimeoutMs,
    ...(deps.cache === undefined ? {} : { cache: deps.cache }),
    ...(seedOf === undefined ? {} : { seeding: new Seeding({ sessions, seedOf, copyTimeoutMs }) }),
  };

  const ask = async <T>(
    host: Host,
    schema: z.ZodType<T>,
    command: (elevation: Elevation) => Command,
    call: HostCall,
  ): Promise<T> => {
    const label = { name: "" };
    const named = (elevation: Elevation) => {
      const built = command(elevation);
      label.name = built.label;
      return built;
    };
    const result = await sessions.run(host, named, call);
    return parseAnswer(host.name, label.name, result.stdout, schema);
  };
  const perform = async (host: Host, command: (e: Elevation) => Command, call: HostCall) => {
    await ask(host, Done, command, call);
  };

  return {
    observe: (host, { signal, activation, fresh }) =>
      ask(host, Observation, (e) => hostCommands.probe(e, activation), {
        signal,
        fresh: fresh ?? false,
        unprivileged: true,
        timeoutMs: 60_000,
      }),

    async stage(host, activation, { signal }) {
      const { rollout: run, to } = activation;
      const copied = await copyClosure(stageDeps, host, { run, to }, signal);
      const staged = await ask(host, Staged, (e) => hostCommands.stage(e, activation), { signal });
      return { ...copied, rebootNeeded: staged.rebootNeeded };
    },

    async deliver(host, secrets, { signal, ...o }) {
      // A unit that restarts may take its time.
      const call = { signal, timeoutMs: o.restart ? 600_000 : 60_000 };
      return (await ask(host, Delivered, (e) => hostCommands.deliver(e, secrets, o), call)).changed;
    },

    activate: (host, activation, { signal }) =>
      perform(host, (e) => hostCommands.activate(e, activation), { signal }),

    async check(host, { signal, activation, checks, baselineFailed }) {
      const command = (e: Elevation) => hostCommands.check(e, checks, baselineFailed, activation);
      const answer = await ask(host, CheckAnswer, command, { signal, fresh: true, timeoutMs: 660_000 });
      return answer.results;
    },

    commit: (host, activation, { signal }) =>
      perform(host, (e) => hostCommands.commit(e, activation), { signal, fresh: true, timeoutMs: 600_000 }),

    revert: (host, activation, reason, { signal }) =>
      perform(host, (e) => hostCommands.revert(e, activation, reason), { signal, timeoutMs: 300_000 }),

    evidence: (host, activation, { signal }) =>
      ask(host, Evidence, (e) => hostCommands.evidence(e, activation), { signal }),

    release: (host, activation, { signal }) =>
      perform(host, (e) => hostCommands.release(e, activation), { signal }),

    async generations(host, { signal }) {
      const call = { signal, unprivileged: true };
      return (await ask(host, GenerationsAnswer, hostCommands.generations, call)).generations;
    },

    hold: (host, note, { signal }) => perform(host, (e) => hostCommands.note(e, "hold", note), { signal }),
    unhold: (host, { signal }) => perform(host, (e) => hostCommands.note(e, "hold", null), { signal }),
    lock: (host, note, { signal }) => perform(host, (e) => hostCommands.note(e, "lock", note), { signal }),
    unlock: (host, { signal }) => perform(host, (e) => hostCommands.note(e, "lock", null), { signal }),
    reboot: (host, { signal, fence }) => perform(host, (e) => hostCommands.reboot(e, fence), { signal }),
    gc: (host, { signal, keep }) =>
      ask(host, GcAnswer, (e) => hostCommands.gc(e, keep), { signal, timeoutMs: 3_600_000 }),
    facts: (host, { signal }) => ask(host, HostFacts, hostCommands.facts, { signal, unprivileged: true }),
  };
}
