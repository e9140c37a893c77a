/** Catch-up: who was left behind by a rollout, and who has caught up by whatever way. */
import type { Plan } from "../plan/model.ts";
import type { HostRecord, Store } from "../store/store.ts";

/** Left behind by a rollout; a machine whose installation was put off is nothing to roll out to. */
export const isBehind = (record: HostRecord | undefined): boolean =>
  record?.owes?.run.startsWith("r-") === true;

/** Who runs the plan's target already owes nothing. */
export async function settleCaughtUp(store: Pick<Store, "putHost">, plan: Plan): Promise<void> {
  for (const { host, reason } of plan.excluded)
    if (reason === "already runs it") await store.putHost({ host, owes: undefined });
}
