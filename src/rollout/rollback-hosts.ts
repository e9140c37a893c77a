/** `rollback HOST`: to which system, and the plan. Pure. */
import type { Generation } from "../host/protocol.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import type { Plan } from "../plan/model.ts";
import type { HostRecord } from "../store/store.ts";
import { planTo } from "./launch.ts";

/** Of a host that answered. */
export interface Present {
  readonly current: string;
  readonly profile: string;
}

/**
 * Never `--rollback`, which is only "one number less": the last system known to have been healthy before the present
 * one that is still there, else the generation before the present one. null: there is none.
 */
export function earlierSystem(
  generations: readonly Generation[],
  { current }: Present,
  record: HostRecord | undefined,
): string | null {
  const healthy = [record?.lastHealthy, record?.previousHealthy].find(
    (path) => path !== undefined && path !== current && generations.some((g) => g.path === path),
  );
  if (healthy !== undefined) return healthy;
  const present = generations.findLastIndex((g) => g.path === current);
  return (
    generations.slice(0, present < 0 ? undefined : present).findLast((g) => g.path !== current)?.path ?? null
  );
}

export interface RollbackInput {
  readonly id: string;
  readonly inventory: Inventory;
  readonly hosts: readonly Host[];
  /** What the run is called by: `last healthy`, `generation 41`. */
  readonly revision: string;
  readonly now: number;
  readonly seen: ReadonlyMap<string, Present>;
  /** Host -> system. */
  readonly targets: ReadonlyMap<string, string>;
}

/** Without waves: somebody is in trouble. Every guard and limit holds. */
export function planRollback(o: RollbackInput): Plan {
  const known = [...o.seen].map(
    ([name, { current, profile }]) => [name, { reachable: true, current, profile }] as const,
  );
  return planTo({
    id: o.id,
    kind: "rollback",
    inventory: o.inventory,
    hosts: o.hosts,
    revision: o.revision,
    now: o.now,
    known: new Map(known),
    targets: new Map([...o.targets].map(([name, toplevel]) => [name, { toplevel, size: 0 }])),
    force: true,
    waveless: true,
  });
}
