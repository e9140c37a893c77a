// `npm test`: type check, lint, import rules, dead code, then every test project. Says at the end what could not run.
// `npm test -- unit lab` runs some projects only; `npm test -- --quick` leaves out the containers.
import { spawnSync } from "node:child_process";

const args = process.argv.slice(2);
const quick = args.includes("--quick");
const named = args.filter((a) => !a.startsWith("--"));
const ALL = ["unit", "contract", "lab", "simulation", "nix", "vm", "container"];
const projects = named.length > 0 ? named : quick ? ALL.filter((p) => p !== "container") : ALL;

const steps = [
  ...(named.length > 0
    ? []
    : [
        ["types", "tsc", ["--noEmit"]],
        ["lint", "biome", ["ci", "--error-on-warnings", "."]],
        ["import rules", "node", ["scripts/import-rules.mjs"]],
        ["dead code", "knip", []],
      ]),
  ["tests", "vitest", ["run", ...projects.flatMap((p) => ["--project", p])]],
];

const failed = [];
for (const [name, file, rest] of steps) {
  console.log(`\n=== ${name}: ${file} ${rest.join(" ")}`);
  const { status } = spawnSync(`node_modules/.bin/${file}`, rest, { stdio: "inherit" });
  if (status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? "\nall checks passed" : `\nfailed: ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
