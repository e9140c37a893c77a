// Who may import whom (.dependency-cruiser.cjs). Fails, too, when it looked at next to nothing: dependency-cruiser
// says "no violations" with exit 0 when it cannot read TypeScript.
import { spawnSync } from "node:child_process";

const LEAST_MODULES = 200;
const { stdout, stderr } = spawnSync(
  process.execPath,
  ["node_modules/.bin/depcruise", "--config", ".dependency-cruiser.cjs", "--output-type", "json", "src"],
  {
    encoding: "utf8",
    maxBuffer: 512 * 1024 * 1024,
  },
);
let report;
try {
  report = JSON.parse(stdout);
} catch {
  console.error(stderr || stdout);
  process.exit(1);
}
const own = report.modules.filter((m) => m.source.startsWith("src/"));
for (const v of report.summary.violations) {
  console.error(
    `${v.rule.severity} ${v.rule.name}: ${v.from} -> ${v.to}${v.cycle ? ` (${v.cycle.map((c) => c.name ?? c).join(" -> ")})` : ""}`,
  );
}
console.log(
  `${own.length} modules, ${report.summary.totalDependenciesCruised} imports, ${report.summary.violations.length} violations`,
);
if (own.length < LEAST_MODULES)
  console.error(`only ${own.length} modules were read, ${LEAST_MODULES} expected: the rules checked nothing`);
process.exit(report.summary.error > 0 || own.length < LEAST_MODULES ? 1 : 0);
