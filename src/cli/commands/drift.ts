import { z } from "zod";
import { EXIT } from "../../errors.ts";
import type { Host } from "../../inventory/model.ts";
import { findingsOf } from "../../operate/findings.ts";
import { createPaint } from "../../ui/paint.ts";
import { plural } from "../../ui/view/format.ts";
import { line, strong, warn } from "../../ui/view/line.ts";
import { defineCommand } from "../command.ts";
import { exitOfHosts, isMachine, noteFailures, noteLab, onEach, pickHosts, printResults } from "../hosts.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [["--detailed-exitcode", "exit 2 when a host has drifted"]],
  examples: [
    "macula-fleet drift",
    "macula-fleet drift --limit role=gateway --detailed-exitcode",
    "macula-fleet drift -o ndjson",
  ],
  schema: z.object({ detailedExitcode: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = await pickHosts(app, inventory, store, args);
    const { driver } = await app.remote(inventory);
    const records = await store.hosts();
    const ask = async (host: Host) => {
      const seen = await driver.observe(host, { signal: app.signal });
      const { current, booted, profile, bootDefault } = seen;
      const record = records.get(host.name);
      const findings = findingsOf(host.name, seen, record);
      return { expected: record?.lastHealthy ?? null, current, booted, profile, bootDefault, findings };
    };
    const results = await onEach(app, hosts, ask, { aloud: true });
    const drifted = results.filter((r) => r.ok && r.value.findings.length > 0);
    if (isMachine(app)) printResults(app, results);
    else {
      noteLab(app, inventory);
      const paint = createPaint(app.color);
      for (const result of results) {
        for (const finding of result.ok ? result.value.findings : []) {
          app.print(paint(line(strong(result.host), "  ", warn(finding.kind), `  ${finding.message}`)));
          app.print(`    fix: ${finding.fix}`);
        }
      }
      const asked = results.filter((r) => r.ok).length;
      if (asked > 0) app.print(`${drifted.length} of ${plural(asked, "host")} drifted`);
    }
    noteFailures(app, results);
    if (options.detailedExitcode && drifted.length > 0) return EXIT.changes;
    return exitOfHosts(results);
  },
});
