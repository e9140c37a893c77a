/** What commands over single hosts share: which hosts are meant, many at a time, and what failures amount to. */
import pMap from "p-map";
import type { App } from "../app.ts";
import { ERROR_CODES, EXIT, type ExitCode, type Failure, FleetError, toFailure } from "../errors.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import type { Store } from "../store/store.ts";
import { createPaint } from "../ui/paint.ts";
import { labLine } from "../ui/view/lab.ts";
import { bad, line, strong } from "../ui/view/line.ts";
import { askAloud } from "./asking.ts";

export type HostResult<T> =
  | { readonly host: string; readonly ok: true; readonly value: T }
  | { readonly host: string; readonly ok: false; readonly failure: Failure };

/** The hosts named as arguments or by `--limit` (all when neither is given) that can be talked to. */
export async function pickHosts(
  app: App,
  inventory: Inventory,
  store: Store,
  args: readonly string[] = [],
): Promise<readonly Host[]> {
  if (args.length > 0 && app.globals.limit !== undefined) {
    throw new FleetError("usage", "hosts are named twice, as arguments and with --limit", {
      hint: `use one of them: --limit '${[...args, `&${app.globals.limit}`].join(":")}'`,
    });
  }
  const named = await app.hosts(inventory, store, args.length > 0 ? args.join(",") : "all");
  const hosts = named.filter(isReachedBySsh);
  if (hosts.length > 0) return hosts;
  throw new FleetError("limit-no-match", "none of the selected hosts is one to log in to", {
    hint: "planned and retired hosts, and hosts that pull, are left alone: macula-fleet inventory list",
  });
}

export const isReachedBySsh = (host: Host): boolean =>
  host.connect === "ssh" && (host.state === "active" || host.state === "maintenance");

/** Does the same on many hosts, `--forks` at a time; what goes wrong on one is its result. In the hosts' order. */
export async function onEach<T>(
  app: App,
  hosts: readonly Host[],
  work: (host: Host) => Promise<T>,
  o: {
    readonly forks?: number;
    readonly onResult?: (result: HostResult<T>) => void;
    /** Tell who keeps us waiting: where hosts answer in seconds, and nothing else is printed meanwhile. */
    readonly aloud?: boolean;
  } = {},
): Promise<readonly HostResult<T>[]> {
  const { signal } = app;
  using asking = o.aloud ? askAloud(app, hosts.length) : null;
  const one = async (host: Host): Promise<HostResult<T>> => {
    try {
      const answer = () => work(host);
      return {
        host: host.name,
        ok: true,
        value: await (asking ? asking.during(host.name, answer) : answer()),
      };
    } catch (error) {
      signal.throwIfAborted();
      return { host: host.name, ok: false, failure: toFailure(error) };
    }
  };
  return await pMap(
    hosts,
    async (host) => {
      const result = await one(host);
      o.onResult?.(result);
      return result;
    },
    { concurrency: o.forks ?? app.globals.forks, signal },
  );
}

/** Merely out of reach or held (exit 4), as opposed to failed (exit 3)? */
export const isDeferred = (failure: Failure): boolean =>
  failure.code !== "bug" && ERROR_CODES[failure.code].exit === EXIT.hostsDeferred;

export function exitOfHosts(results: readonly HostResult<unknown>[]): ExitCode {
  const failures = results.flatMap((r) => (r.ok ? [] : [r.failure]));
  if (failures.length === 0) return EXIT.ok;
  return failures.every(isDeferred) ? EXIT.hostsDeferred : EXIT.hostsFailed;
}

/** On stderr, one line per host that failed, with what to do; nothing where stdout is data and says it. */
export function noteFailures(app: App, results: readonly HostResult<unknown>[]): void {
  if (isMachine(app)) return;
  const paint = createPaint(app.color);
  for (const result of results) {
    if (result.ok) continue;
    const { code, message, hint } = result.failure;
    const where = message.startsWith(result.host) ? "" : `${result.host}: `;
    app.note(paint(line(bad("error: "), strong(`${where}${message}`), `  [${code}]`)));
    if (hint !== undefined) app.note(`  fix: ${hint}`);
  }
}

export const isMachine = (app: App): boolean => app.format === "json" || app.format === "ndjson";

/** The lab always says that it is one. */
export function noteLab(app: App, inventory: Inventory): void {
  if (inventory.lab && !isMachine(app)) app.note(createPaint(app.color)(labLine()));
}

/** Results as data: one array, or one line each. Failures are `{host, error: {code, message, hint}}`. */
export function printResults<T extends object>(app: App, results: readonly HostResult<T>[]): void {
  printData(
    app,
    results.map((r) => (r.ok ? { host: r.host, ...r.value } : { host: r.host, error: r.failure })),
  );
}

/** An array with `-o json`, one line each with `-o ndjson`. */
export function printData(app: App, rows: readonly object[]): void {
  if (app.format === "json") app.json(rows);
  else for (const row of rows) app.print(JSON.stringify(row));
}

/** Who holds or locks a host: the same person from every terminal, unlike `App.operator`. */
export const person = (app: App): string => app.operator.replace(/:\d+$/, "");
