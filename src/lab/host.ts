/** One lab host: the pure machine, its SSH server, its real timers. */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../kernel/clock.ts";
import { answer } from "./exec.ts";
import { publicKeyOf } from "./keys.ts";
import { nextEvent, tick } from "./machine/clock.ts";
import type { FaultKind } from "./machine/fault.ts";
import { HOST_KEY_FILE, type Machine } from "./machine/model.ts";
import { cutPower, networkUp, powerOn } from "./machine/power.ts";
import { createSshd, type ExecRequest, type ExecResult } from "./sshd.ts";

export interface LabHost extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** The key the host presents now (without faults). */
  readonly hostPublicKey: string;
  /** The machine as it is now. */
  machine(): Machine;
  /** Applies an operation now; what follows from it (connections cut, timers) happens before this resolves. */
  change<T extends { readonly machine: Machine }>(operation: (m: Machine, now: number) => T): Promise<T>;
  setFaults(faults: readonly FaultKind[]): Promise<void>;
  powerCycle(): Promise<void>;
}

export interface LabHostOptions {
  readonly machine: Machine;
  readonly hostKey: string;
  readonly wrongHostKey: string;
  readonly authorizedKeys: readonly string[];
  /** 0 picks one. */
  readonly port: number;
  readonly clock: Pick<Clock, "now">;
  readonly mayForward?: (port: number) => boolean;
}

export async function startLabHost(options: LabHostOptions): Promise<LabHost> {
  let machine = options.machine;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let started = options.port !== 0;
  let presented = "";
  let network = Promise.resolve(); // opening and cutting take turns
  let port = options.port;
  let ownKey = options.hostKey;

  const sshd = createSshd({
    hostKey: options.hostKey,
    authorizedKeys: options.authorizedKeys,
    users: ["root"],
    motd: `${machine.name} (lab): a simulated NixOS host of macula-fleet`,
    exec: execute,
    ...(options.mayForward ? { mayForward: options.mayForward } : {}),
  });

  /** A delivered key counts from the first boot of the installed system; an installer keeps the one it found. */
  function hostKey(): string {
    const delivered = machine.memory?.kind === "system" ? machine.disk.files[HOST_KEY_FILE] : undefined;
    if (delivered !== undefined) ownKey = delivered;
    return ownKey;
  }

  function advance(): Machine {
    machine = tick(machine, options.clock.now());
    return machine;
  }

  async function settle(): Promise<void> {
    clearTimeout(timer);
    if (closed) return;
    const next = nextEvent(machine);
    if (next !== null) {
      timer = setTimeout(
        () => {
          advance();
          void settle();
        },
        Math.max(0, next - options.clock.now()),
      );
    }
    const wanted = machine.faults.includes("wrong-host-key") ? options.wrongHostKey : hostKey();
    if (wanted !== presented) {
      sshd.setHostKey(wanted);
      presented = wanted;
    }
    network = network.then(() => (networkUp(machine) ? listen() : sshd.cut()));
    await network;
  }

  async function listen(): Promise<void> {
    for (let attempt = 0; !closed && networkUp(machine); attempt++) {
      try {
        port = await sshd.listen(port || randomPort());
        started = true;
        break;
      } catch (error) {
        // A new host tries other ports; one that was down waits until its own is free again.
        if (!started && attempt >= 50) throw error;
        if (port !== 0) await delay(100);
      }
    }
    if (!networkUp(machine)) await sshd.cut();
  }

  async function execute(request: ExecRequest): Promise<ExecResult> {
    advance();
    if (machine.faults.includes("hang")) await aborted(request.signal);
    if (machine.faults.includes("slow")) await delay(1000, undefined, { signal: request.signal });
    return answer(host, request);
  }

  const host: LabHost = {
    name: machine.name,
    get port() {
      return port;
    },
    get hostPublicKey() {
      return publicKeyOf(hostKey());
    },
    machine: advance,
    async change(operation) {
      const result = operation(advance(), options.clock.now());
      machine = result.machine;
      await settle();
      return result;
    },
    async setFaults(faults) {
      const was = advance();
      machine = { ...was, faults };
      const unstuck = was.power.kind === "hung" && !faults.includes("no-boot");
      if (unstuck) machine = powerOn(cutPower(machine), options.clock.now());
      await settle();
    },
    async powerCycle() {
      machine = powerOn(cutPower(advance()), options.clock.now());
      await settle();
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await network;
      await sshd.cut();
    },
  };
  await settle();
  return host;
}

/** Below the range that systems lend to outgoing connections, so that a host that is down keeps its port. */
const randomPort = (): number => 20_000 + Math.floor(Math.random() * 10_000);

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
