import { z } from "zod";
import { EXIT } from "../../errors.ts";
import type { Host } from "../../inventory/model.ts";
import type { Closure } from "../../nix/closures.ts";
import {
  isBlank,
  type PreflightProblem,
  preflight,
  preflightFailure,
  preflightInstall,
} from "../../operate/preflight.ts";
import { createPaint } from "../../ui/paint.ts";
import { plural } from "../../ui/view/format.ts";
import { bad, line, strong, warn } from "../../ui/view/line.ts";
import { defineCommand } from "../command.ts";
import { isDeferred, isMachine, noteLab, onEach, pickHosts, printData } from "../hosts.ts";

interface Report {
  readonly host: string;
  readonly ready: boolean;
  /** What it is ready for. */
  readonly for: "rollout" | "install" | null;
  readonly problems: readonly PreflightProblem[];
}

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [["--build", "build the systems first, to compare their size with the room on the hosts"]],
  examples: [
    "macula-fleet preflight",
    "macula-fleet preflight --limit site=gent --build",
    "macula-fleet preflight -o json",
  ],
  schema: z.object({ build: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = await pickHosts(app, inventory, store, args);
    const { driver, closures } = await app.remote(inventory);
    const records = await store.hosts();
    const { signal } = app;
    const built: ReadonlyMap<string, Closure> = options.build
      ? await closures.build(hosts, await closures.revision(undefined, { signal }), { signal })
      : new Map();
    const ask = async (host: Host): Promise<Omit<Report, "host">> => {
      const observation = await driver.observe(host, { signal });
      if (isBlank(observation)) {
        const problems = preflightInstall(host, await driver.facts(host, { signal }));
        return { ready: isReady(problems), for: "install", problems };
      }
      const size = built.get(host.name)?.size;
      const problems = preflight(host, {
        observation,
        skewMs: observation.clock * 1000 - app.clock.now(),
        record: records.get(host.name),
        ...(size === undefined ? {} : { closureBytes: size }),
      });
      return { ready: isReady(problems), for: "rollout", problems };
    };
    const results = await onEach(app, hosts, ask, { aloud: true });
    const reports = results.map((result, i): Report => {
      if (result.ok) return { host: result.host, ...result.value };
      const host = hosts[i];
      const problems = host ? [preflightFailure(host, result.failure)] : [];
      return { host: result.host, ready: false, for: null, problems };
    });
    if (isMachine(app)) printData(app, reports);
    else {
      noteLab(app, inventory);
      const paint = createPaint(app.color);
      for (const { host, problems } of reports) {
        for (const { check, severity, message, fix } of problems) {
          const tone = severity === "error" ? bad : warn;
          app.print(paint(line(strong(host), "  ", tone(check), `  ${message}`)));
          app.print(`    fix: ${fix}`);
        }
      }
      const ready = reports.filter((r) => r.ready);
      const blank = ready.filter((r) => r.for === "install").length;
      const what = blank === 0 ? "" : `, ${blank} of them to be installed`;
      app.print(`${ready.length} of ${plural(reports.length, "host")} ready${what}`);
    }
    const unready = reports.some((r) => r.for !== null && !r.ready);
    const refused = results.some((r) => !r.ok && !isDeferred(r.failure));
    if (unready || refused) return EXIT.hostsFailed;
    return results.some((r) => !r.ok) ? EXIT.hostsDeferred : EXIT.ok;
  },
});

const isReady = (problems: readonly PreflightProblem[]): boolean =>
  problems.every((p) => p.severity === "warning");
