// `npm run mutation`: is every mistake in the pure core noticed by its fast tests? One Stryker run for each area of
// test/mutation/scope.ts, each with a threshold of its own (stryker.config.mjs). Results are kept under reports/, so the
// next run tests only what changed. `npm run mutation -- plan`: one area; what follows `--` is Stryker's:
// `npm run mutation -- rollout -- --mutate src/rollout/state.ts`.
import { spawnSync } from "node:child_process";
import { AREAS } from "../test/mutation/scope.ts";

const args = process.argv.slice(2);
const cut = args.indexOf("--");
const named = cut < 0 ? args : args.slice(0, cut);
const passed = cut < 0 ? [] : args.slice(cut + 1);
const unknown = named.filter((name) => !(name in AREAS));
if (unknown.length > 0) {
  console.error(`no area ${unknown.join(", ")}: ${Object.keys(AREAS).join(", ")}`);
  process.exit(64);
}

const failed = [];
for (const area of named.length > 0 ? named : Object.keys(AREAS)) {
  console.log(`\n=== mutants of ${area}`);
  const { status } = spawnSync(process.execPath, ["node_modules/.bin/stryker", "run", ...passed], {
    stdio: "inherit",
    env: { ...process.env, MUTATION_AREA: area },
  });
  if (status !== 0) failed.push(area);
}
console.log(failed.length === 0 ? "\nenough mutants were found" : `\nfailed: ${failed.join(", ")}`);
process.exit(failed.length === 0 ? 0 : 1);
