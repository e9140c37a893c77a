/** An undo is a rollout of its own: it names what it reverts, skips waves by default and keeps every guard. Pure. */
import type { Host, Inventory } from "../inventory/model.ts";
import type { Plan } from "../plan/model.ts";
import { planTo } from "./launch.ts";
import { RULES, type Rules } from "./rules.ts";
import type { RolloutState } from "./state.ts";

export interface UndoInput {
  readonly id: string;
  readonly inventory: Inventory;
  /** Those it may put back; only what the run changed is. */
  readonly hosts: readonly Host[];
  readonly now: number;
  /** In waves again; default: as fast as the guards and limits allow. */
  readonly waves?: boolean;
  /** Only simulations replace rules. */
  readonly rules?: Rules | undefined;
}

/** Host -> the system it ran before. */
export const changedBy = (state: RolloutState, { undone }: Rules = RULES): ReadonlyMap<string, string> =>
  new Map(
    [...state.hosts.values()].flatMap((h) =>
      undone(h) && h.previous !== null ? [[h.name, h.previous] as const] : [],
    ),
  );

/** What puts back whom this run, which has ended, left changed. No hosts: nobody of those given. */
export function planUndo(state: RolloutState, o: UndoInput): Plan {
  const changed = changedBy(state, o.rules);
  return planTo({
    id: o.id,
    kind: "undo",
    inventory: o.inventory,
    hosts: o.hosts.filter((h) => changed.has(h.name)),
    revision: `undo of ${state.plan.id}`,
    now: o.now,
    known: new Map(
      state.plan.hosts.flatMap((h) =>
        changed.has(h.name) ? [[h.name, { reachable: true, current: h.to }] as const] : [],
      ),
    ),
    targets: new Map([...changed].map(([name, toplevel]) => [name, { toplevel, size: 0 }])),
    force: false,
    waveless: o.waves !== true,
    reverts: state.plan.id,
  });
}
