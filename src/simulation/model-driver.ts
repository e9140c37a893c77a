/** `HostDriver` onto the world: every call may be late, lost on the way there, or lost on the way back. */
import { FleetError } from "../errors.ts";
import type { Activation, Call, HostDriver } from "../host/driver.ts";
import { type CheckResult, GenerationsAnswer, type Observation } from "../host/protocol.ts";
import { refusalOf } from "../host/refusals.ts";
import type { Parameters } from "../lab/machine/operations/operation.ts";
import { receivePath } from "../lab/machine/store.ts";
import type { Controller } from "./controller.ts";
import type { LinkModel, World } from "./world.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const COMMAND_TIMEOUT_MS = 30_000;

export interface ModelDriverOptions {
  readonly linkOf: (host: string) => LinkModel;
  /** Bytes per second; 0: at once. */
  readonly copyRate?: (host: string) => number;
  /** What a copy to this host carries; default: the size of the model's system. */
  readonly bytesOf?: (host: string) => number;
  /** What a check answered and the controller got to know. */
  readonly heard?: (
    host: string,
    results: readonly CheckResult[],
    activation: Activation | undefined,
  ) => void;
  /** What it said of itself and the controller got to know. */
  readonly looked?: (host: string, run: string, seen: Observation) => void;
  /** The word to activate, as it arrives. */
  readonly asked?: (host: string, activation: Activation) => void;
}

/** What a command that asks a host's users answers with exit 21. */
const NOT_NOW: CheckResult = { name: "users", type: "command", status: "retry", message: "not now" };

/** What the world does with a message. */
type Fate = "ok" | "cut-before" | "cut-after" | "hangs-before" | "hangs-after";

export function createModelDriver(world: World, me: Controller, options: ModelDriverOptions): HostDriver {
  const lost = (host: string) => new FleetError("connection-lost", `connection to ${host} was cut`);

  function send<T>(host: string, { signal }: Call, effect: () => T, extraMs = 0): Promise<T> {
    const link = options.linkOf(host);
    const { random } = me;
    const delay = () => Math.round(link.latencyMs * (0.5 + random.next()));
    const roll = random.next();
    const fate: Fate =
      roll < link.cutBefore
        ? "cut-before"
        : roll < link.cutBefore + link.cutAfter
          ? "cut-after"
          : roll < link.cutBefore + link.cutAfter + link.hangs
            ? random.chance(0.5)
              ? "hangs-before"
              : "hangs-after"
            : "ok";
    // Once sent, a message may arrive although its sender died.
    const outlives = random.chance(0.5);
    return new Promise<T>((resolve, reject) => {
      let settled = false;
      const settle = (act: () => void) => {
        if (settled) return;
        settled = true;
        signal.removeEventListener("abort", onAbort);
        act();
      };
      const onAbort = () => settle(() => reject(signal.reason));
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      const fail = (ms: number, error: FleetError) => me.after(ms, () => settle(() => reject(error)));

      me.after(delay(), () => {
        if (settled) return;
        if (!me.online || !world.reachable(host))
          return fail(CONNECT_TIMEOUT_MS, new FleetError("unreachable", `${host} does not answer`));
        if (fate === "cut-before") return fail(delay(), lost(host));
        if (fate === "hangs-before")
          return fail(
            COMMAND_TIMEOUT_MS,
            new FleetError("command-timeout", `${host} did not finish in time`),
          );
        world.scheduler.after(delay() + extraMs, () => {
          if ((me.dead || settled) && !outlives) return;
          if (!me.online || !world.reachable(host)) return fail(CONNECT_TIMEOUT_MS, lost(host));
          let answer: () => void;
          try {
            const value = effect();
            answer = () => resolve(value);
          } catch (error) {
            answer = () => reject(error);
          }
          if (fate === "cut-after") return fail(delay(), lost(host));
          if (fate === "hangs-after")
            return fail(
              COMMAND_TIMEOUT_MS,
              new FleetError("command-timeout", `${host} did not finish in time`),
            );
          me.after(delay(), () => {
            if (me.online && world.reachable(host)) settle(answer);
            else fail(CONNECT_TIMEOUT_MS, lost(host));
          });
        });
      });
    });
  }

  /** Runs a script of the host protocol; a refusal becomes the error the SSH driver would throw. */
  const script = (host: string, operation: string, p: Parameters): unknown => {
    const { exit, stdout, stderr } = world.operate(host, operation, p);
    if (exit !== 0) throw refusalOf(host, operation, { code: exit, stdout, stderr });
    return JSON.parse(stdout);
  };

  return {
    observe: (host, o) =>
      send(host.name, o, () => {
        const p = o.activation ? { RUN: o.activation.rollout, TO: o.activation.to } : {};
        return script(host.name, "probe", p) as Observation;
      }).then((seen) => {
        world.heardFrom(host.name);
        if (o.activation) options.looked?.(host.name, o.activation.rollout, seen);
        return seen;
      }),
    stage(host, activation, o) {
      const { from, to, next } = world.systems.get(host.name) ?? {};
      const wanted = [from, to, next].find((system) => system?.path === activation.to);
      const size = options.bytesOf?.(host.name) ?? to?.size ?? 0;
      const rate = options.copyRate?.(host.name) ?? 0;
      const copyMs = rate > 0 ? (size / rate) * 1000 : 0;
      return send(
        host.name,
        o,
        () => {
          const known = world.machine(host.name).disk.store[activation.to] !== undefined;
          if (!known && wanted) {
            const received = receivePath(world.machine(host.name), wanted);
            if (!received.ok)
              throw new FleetError("host-disk-full", `${host.name} has no room left: ${received.error}`);
            world.change(host.name, () => received.machine);
          }
          script(host.name, "stage", parameters(activation));
          const { disk, memory } = world.machine(host.name);
          const rebootNeeded =
            disk.store[activation.to]?.system?.kernel !== disk.store[memory?.booted ?? ""]?.system?.kernel;
          return { bytes: known ? 0 : size, paths: known ? 0 : 1, rebootNeeded };
        },
        copyMs,
      );
    },
    // Simulated fleets want no secrets: a message like any other, with nothing in it.
    deliver: (host, _, o) => send(host.name, o, () => []),
    activate: (host, activation, o) =>
      send(host.name, o, () => {
        options.asked?.(host.name, activation);
        script(host.name, "activate", {
          ...parameters(activation),
          MAY_REBOOT: "1",
          MODE: activation.mode,
          IGNORE_CONSENT: activation.ignoreConsent ? "1" : "",
        });
      }),
    check: (host, o) =>
      send(host.name, o, () => {
        const p = o.activation ? { RUN: o.activation.rollout, FENCE: String(o.activation.fence) } : {};
        const answer = script(host.name, "check", {
          ...p,
          CHECK_COUNT: "1",
          CHECK_1_TYPE: "systemd",
          CHECK_1_NAME: "units",
          BASELINE: o.baselineFailed.join("\n"),
        }) as { results: readonly CheckResult[] };
        return world.isNotNow(host.name) ? [...answer.results, NOT_NOW] : answer.results;
      }).then((results) => {
        options.heard?.(host.name, results, o.activation);
        return results;
      }),
    commit: (host, activation, o) =>
      send(host.name, o, () => {
        script(host.name, "commit", parameters(activation));
      }),
    revert: (host, activation, reason, o) =>
      send(host.name, o, () => {
        script(host.name, "revert", { ...parameters(activation), REASON: reason });
      }),
    evidence: (host, activation, o) =>
      send(host.name, o, () => script(host.name, "evidence", parameters(activation)) as never),
    release: (host, activation, o) =>
      send(host.name, o, () => {
        script(host.name, "release", parameters(activation));
      }),
    generations: (host, o) =>
      send(host.name, o, () => GenerationsAnswer.parse(script(host.name, "generations", {})).generations),
  };
}

const parameters = (a: Activation): Parameters => ({
  RUN: a.rollout,
  ATTEMPT: String(a.attempt),
  FENCE: String(a.fence),
  FROM: a.from,
  TO: a.to,
  CONFIRM_TIMEOUT: String(Math.max(1, Math.ceil(a.confirmTimeoutMs / 1000))),
});
