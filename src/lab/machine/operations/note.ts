/** hold, unhold, lock, unlock, reboot. [pure] */
import { otherRuns, scheduleReboot } from "../activation.ts";
import { type Note, withDisk } from "../model.ts";
import { checkFence, did, needNumber, type Operation, Refused } from "./operation.ts";

export const note: Operation = (m, p, now) => {
  const kind = p.KIND ?? "";
  if (kind !== "hold" && kind !== "lock") throw new Refused("usage", `not a kind: ${kind}`);
  const until = needNumber(p, "UNTIL", 0);
  if (p.ACTION === "clear") return did(withDisk(m, { [kind]: null }), "cleared");
  if (p.ACTION !== "set") throw new Refused("usage", `not an action: ${p.ACTION ?? ""}`);
  const by = p.BY ?? "";
  const before = m.disk.lock;
  if (kind === "lock" && before && before.by !== by) {
    throw new Refused("held", `locked by ${before.by}: ${before.reason}`);
  }
  const time = kind === "hold" ? until : Math.floor(now / 1000);
  const written: Note = { by, reason: p.REASON ?? "", time };
  return did(withDisk(m, { [kind]: written }), "set");
};

export const reboot: Operation = (m, p, now) => {
  if (needNumber(p, "FENCE", 0) !== 0) checkFence(m, p);
  const busy = otherRuns(m, "none")[0];
  if (busy) throw new Refused("busy", `${busy} is active`);
  return did(scheduleReboot(m, "", now), "rebooting");
};
