/** Sessions with a host for the protocol: pooled or new, and how they become root there. */
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import type { Command } from "../kernel/shell.ts";
import type { Completed, Session, Target } from "../transport/transport.ts";
import { type Elevation, elevationProbe } from "./commands.ts";
import { refusalOf } from "./refusals.ts";

/** What is needed of `SessionPool`. Disposing a session gives it back or closes it. */
export interface Sessions {
  session(target: Target, signal: AbortSignal): Promise<Session>;
  /** Always over a new TCP connection. */
  fresh(target: Target, signal: AbortSignal): Promise<Session>;
}

export interface HostCall {
  readonly signal: AbortSignal;
  readonly fresh?: boolean;
  readonly timeoutMs?: number;
  /** Works without being root, too: `elevation-refused` is not thrown. */
  readonly unprivileged?: boolean;
  readonly maxOutput?: number;
}

export class HostSessions {
  readonly #pool: Sessions;
  readonly #targetOf: (host: Host) => Target;
  /** Found out once per host and login. */
  readonly #elevation = new Map<string, Elevation>();

  constructor(pool: Sessions, targetOf: (host: Host) => Target) {
    this.#pool = pool;
    this.#targetOf = targetOf;
  }

  /** Runs what `command` makes of the elevation; exit 0 or the refusal's `FleetError`. */
  async run(host: Host, command: (elevation: Elevation) => Command, call: HostCall): Promise<Completed> {
    const target = this.#targetOf(host);
    await using session = call.fresh
      ? await this.#pool.fresh(target, call.signal)
      : await this.#pool.session(target, call.signal);
    const elevation = await this.#elevationOf(host, target, session, call);
    const built = command(elevation);
    const result = await session.run(built, {
      signal: call.signal,
      timeoutMs: call.timeoutMs ?? 120_000,
      ...(call.maxOutput === undefined ? {} : { maxOutput: call.maxOutput }),
    });
    if (result.code !== 0) throw refusalOf(host.name, built.label, result);
    return result;
  }

  async #elevationOf(host: Host, target: Target, session: Session, call: HostCall): Promise<Elevation> {
    const key = `${target.user}@${target.address}:${target.port} ${host.name}`;
    const known = this.#elevation.get(key) ?? (await this.#detect(host, session, call));
    // Not remembered: somebody may be about to grant it.
    if (known !== "none") this.#elevation.set(key, known);
    if (known === "none" && !call.unprivileged) {
      throw new FleetError("elevation-refused", `${target.user} cannot become root on ${host.name}`, {
        hint: `allow ${target.user} sudo or doas without a password there, or set user: root`,
      });
    }
    return known;
  }

  async #detect(host: Host, session: Session, call: HostCall): Promise<Elevation> {
    const wanted = host.ssh.elevate;
    if (wanted === "sudo" || wanted === "doas") return wanted;
    const result = await session.run(elevationProbe, { signal: call.signal, timeoutMs: 30_000 });
    // A login script may have printed before it.
    const found = result.stdout.trim().split("\n").at(-1)?.trim();
    if (found === "root") return "root";
    if (wanted === "none") return "none";
    if (found === "sudo" || found === "doas" || found === "none") return found;
    throw refusalOf(host.name, elevationProbe.label, result);
  }
}
