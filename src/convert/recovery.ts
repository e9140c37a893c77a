/** A conversion that died: what it means for the node, and what to type. Pure. */
import type { HostState } from "../rollout/events.ts";

export interface Recovery {
  readonly canContinue: boolean;
  /** Can the old system simply serve again? */
  readonly canUndo: boolean;
  readonly says: string;
}

/** `states`: all the node was in, in order. Who has left its cluster stays so, wherever it got to since. */
export function reachedBy(states: readonly HostState[]): HostState | null {
  const last = states.findLast((s) => s !== "failed") ?? null;
  const untouched = last === "preflight" || last === "draining" || last === "saving" || last === "kexec";
  return untouched && states.includes("leaving") ? "leaving" : last;
}

export function recoveryFrom(reached: HostState | null, host: string, archive: string | null): Recovery {
  const go = `macula-fleet convert ${host} --continue`;
  const undo = `macula-fleet convert ${host} --undo`;
  switch (reached) {
    case null:
    case "pending":
    case "preflight":
      return { canContinue: true, canUndo: true, says: `nothing was changed; ${go}` };
    case "draining":
    case "saving":
      return {
        canContinue: true,
        canUndo: true,
        says: `its disk is untouched; ${go} goes on, ${undo} puts it back into service`,
      };
    case "kexec":
      return {
        canContinue: true,
        canUndo: true,
        says: `its disk is untouched: a power cycle brings k3OS back, then ${undo}; or ${go}`,
      };
    case "leaving":
      return {
        canContinue: true,
        canUndo: true,
        says: `its disk is untouched, but its cluster may have forgotten it: ${go}; ${undo} looks whether it still can go back`,
      };
    case "updated":
      return { canContinue: false, canUndo: false, says: "it is converted" };
    default:
      return {
        canContinue: true,
        canUndo: false,
        says: `k3OS is erased: it cannot be undone, only finished: ${go}; everything kept is in ${archive ?? "the archive"}`,
      };
  }
}
