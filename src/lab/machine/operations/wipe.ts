/** wipe: the disk is blank, the machine goes off. [pure] */
import { schedulePowerOff } from "../activation.ts";
import { emptyDisk } from "../new-machine.ts";
import { did, type Operation, Refused } from "./operation.ts";

export const wipe: Operation = (m, _, now) => {
  if (m.memory?.kind !== "installer")
    throw new Refused("unsuitable", "this system may be running from its disk: only an installer erases one");
  return did(schedulePowerOff({ ...m, disk: emptyDisk, lastBooted: "" }, now), "discarded");
};
