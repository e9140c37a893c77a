/** Making and showing a plan: shared by `plan` and `rollout`. */
import type { App, Remote } from "../app.ts";
import type { Inventory } from "../inventory/model.ts";
import type { Plan } from "../plan/model.ts";
import { planRollout } from "../rollout/launch.ts";
import type { Sighting } from "../rollout/survey.ts";
import type { HostRecord, Store } from "../store/store.ts";
import { createPaint } from "../ui/paint.ts";
import { labLine } from "../ui/view/lab.ts";
import { planLines } from "../ui/view/plan.ts";
import { aloud, askAloud } from "./asking.ts";
import { overridePolicy, type PolicyOptions } from "./policy-options.ts";

export interface Made {
  readonly plan: Plan;
  readonly inventory: Inventory;
  readonly store: Store;
  readonly remote: Remote;
  readonly sightings: ReadonlyMap<string, Sighting>;
}

/** `only`: of the selected hosts, those with these records; `limit-no-match` is then not thrown. */
export async function makePlan(
  app: App,
  path: string | undefined,
  options: PolicyOptions,
  only: (record: HostRecord | undefined) => boolean = () => true,
): Promise<Made> {
  const overridden = overridePolicy(await app.inventory(path), options);
  const { inventory } = overridden;
  const store = await app.store(inventory);
  const records = await store.hosts();
  const hosts = (await app.hosts(inventory, store)).filter((h) => only(records.get(h.name)));
  const remote = await app.remote(inventory);
  using asking = askAloud(app, hosts.length);
  const planned = await planRollout(
    {
      inventory,
      hosts,
      force: options.force,
      ...(options.to === undefined ? {} : { to: options.to }),
      ...(overridden.canaryFrom ? { canaryFrom: overridden.canaryFrom } : {}),
      ...(overridden.prefer ? { prefer: overridden.prefer } : {}),
    },
    {
      driver: aloud(remote.driver, asking),
      closures: remote.closures,
      store,
      clock: app.clock,
      signal: app.signal,
      forks: app.globals.forks,
      ...(app.globals.verbose ? { onLine: (line: string) => app.note(line) } : {}),
    },
  );
  return { ...planned, inventory, store, remote };
}

export async function showPlan(
  app: App,
  inventory: Inventory,
  plan: Plan,
  o: { readonly all?: boolean; readonly to: "stdout" | "stderr" },
): Promise<void> {
  const paint = createPaint(app.color);
  const columns = app.process.stdout.columns ?? Number.POSITIVE_INFINITY;
  const lines = [
    ...(inventory.lab ? [labLine()] : []),
    ...planLines(plan, { columns, ...(o.all ? { all: true } : {}) }),
  ];
  const text = lines.map(paint).join("\n");
  if (o.to === "stdout") app.print(text);
  else app.note(text);
}
