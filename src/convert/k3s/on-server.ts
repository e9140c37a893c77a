/** Commands for a cluster, given to one of its servers; a failed one is a `FleetError` in the command's own words. */
import { FleetError } from "../../errors.ts";
import type { Host } from "../../inventory/model.ts";
import type { Command } from "../../kernel/shell.ts";
import type { Completed, Session } from "../../transport/transport.ts";

export interface ServerDeps {
  readonly hosts: ReadonlyMap<string, Host>;
  readonly connect: (host: Host, signal: AbortSignal) => Promise<Session>;
  readonly signal: AbortSignal;
  /** What to do when a command failed. */
  readonly hint?: string;
}

/** Throws `plan-stale` when the inventory has lost the server. */
export async function onServer(name: string, command: Command, deps: ServerDeps): Promise<Completed> {
  const server = deps.hosts.get(name);
  if (!server) throw new FleetError("plan-stale", `the inventory has no host ${name} any more`);
  await using session = await deps.connect(server, deps.signal);
  return await runOrThrow(session, command, name, deps);
}

export async function runOrThrow(
  session: Session,
  command: Command,
  host: string,
  { signal, hint }: Pick<ServerDeps, "signal" | "hint">,
): Promise<Completed> {
  const result = await session.run(command, { signal, timeoutMs: 1_800_000 });
  if (result.code === 0) return result;
  throw new FleetError(
    "command-failed",
    `${host}: ${command.label} failed: ${result.stderr.trim().split("\n").slice(-3).join("; ").slice(0, 300)}`,
    hint === undefined ? {} : { hint },
  );
}
