import { labRelease } from "../../src/lab/index.ts";
import { withDisk, withMemory } from "../../src/lab/machine/model.ts";
import { networkUp } from "../../src/lab/machine/power.ts";
import { LAB_UNIT, type Behaviour as SimBehaviour } from "../../src/lab/machine/system.ts";
import { type Behaviour, hostDriverContract } from "../contract/host-driver.ts";
import { labInProcess, waitFor } from "./support/lab.ts";

const MEANING: Readonly<Record<Behaviour, SimBehaviour>> = {
  good: "good",
  "activation-fails": "activation-fails",
  "unit-fails": "bad-health",
  "needs-reboot": "needs-reboot",
  "no-boot": "no-boot",
  "cuts-network": "cuts-network",
};

hostDriverContract("simulator", async () => {
  const test = await labInProcess({ hosts: 1 });
  const host = test.host("node-01");
  const signal = new AbortController().signal;
  let releases = 0;
  const simulated = () => {
    const found = test.lab.fleet.hosts.get(host.name);
    if (!found) throw new Error("the lab has lost its host");
    return found;
  };
  return {
    driver: test.driver,
    host,
    unit: LAB_UNIT,
    async make(behaviour) {
      const name = `t${++releases}`;
      labRelease(test.dir, name, { behaviour: MEANING[behaviour] });
      const closure = (await test.closures.build([host], name, { signal })).get(host.name);
      if (!closure) throw new Error("not built");
      return closure.toplevel;
    },
    async powerCycle() {
      await simulated().powerCycle();
      await waitFor("the host", async () => networkUp(simulated().machine()));
    },
    async ownerSays(consent) {
      await simulated().change((m) => ({ machine: withDisk(m, { consent }) }));
    },
    async cutNetwork() {
      await simulated().change((m) => ({ machine: withMemory(m, { networkLost: true }) }));
    },
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
});
