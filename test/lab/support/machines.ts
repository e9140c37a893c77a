import { nextEvent, tick } from "../../../src/lab/machine/clock.ts";
import type { Machine } from "../../../src/lab/machine/model.ts";
import { installedMachine } from "../../../src/lab/machine/new-machine.ts";
import { OPERATIONS } from "../../../src/lab/machine/operations/index.ts";
import { type Outcome, perform } from "../../../src/lab/machine/operations/operation.ts";
import { receivePath } from "../../../src/lab/machine/store.ts";
import type { Behaviour, SystemDescription } from "../../../src/lab/machine/system.ts";
import { closureOf, describeSystem, toplevelPath } from "../../../src/lab/store/closure.ts";

const HOST = "node-01";
export const T0 = 1_800_000_000_000;

export const system = (revision: string, behaviour: Behaviour = "good"): SystemDescription =>
  describeSystem(HOST, revision, behaviour);
export const pathOf = (revision: string, behaviour: Behaviour = "good"): string =>
  toplevelPath(system(revision, behaviour));

/** Runs release r1. */
export const newHost = (): Machine => installedMachine({ name: HOST }, closureOf(system("r1")), T0);

export function receive(m: Machine, s: SystemDescription): Machine {
  return closureOf(s).reduce((machine, entry) => {
    const received = receivePath(machine, entry);
    if (!received.ok) throw new Error(received.error);
    return received.machine;
  }, m);
}

export function call(
  m: Machine,
  name: string,
  parameters: Readonly<Record<string, string | number>>,
  now: number,
): Outcome {
  const operation = OPERATIONS[name];
  if (!operation) throw new Error(`no operation ${name}`);
  const words = Object.fromEntries(Object.entries(parameters).map(([k, v]) => [k, String(v)]));
  return perform(operation, tick(m, now), words, now);
}

/** Parameters of an activation from r1, confirm timeout 5 s. */
export const activation = (to: string, extra: Readonly<Record<string, string | number>> = {}) => ({
  RUN: "run-1",
  ATTEMPT: 1,
  FENCE: 1,
  FROM: pathOf("r1"),
  TO: to,
  MODE: "test",
  CONFIRM_TIMEOUT: 5,
  MAY_REBOOT: 1,
  ...extra,
});

/** Lets time pass until nothing more happens on its own. */
export function settle(m: Machine): Machine {
  let machine = m;
  for (let at = nextEvent(machine), i = 0; at !== null; at = nextEvent(machine), i++) {
    if (i > 100) throw new Error("the machine does not come to rest");
    machine = tick(machine, at);
  }
  return machine;
}
