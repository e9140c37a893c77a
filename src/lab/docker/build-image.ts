/** Builds the lab's host images ahead of time: `node src/lab/docker/build-image.ts [SUITE...]`; prints their tags. */
import { ensureImage, SUITES, type Suite } from "./image.ts";

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !SUITES.some((suite) => suite === name));
if (unknown.length > 0) {
  console.error(`unknown suite ${unknown.join(", ")}; there are: ${SUITES.join(", ")}`);
  process.exit(64);
}
const suites: readonly Suite[] =
  asked.length === 0 ? SUITES : SUITES.filter((suite) => asked.includes(suite));
const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("interrupted")));
const build = (suite: Suite) =>
  ensureImage(suite, { signal: stop.signal, onLine: (line) => console.error(`${suite}: ${line}`) });
for (const tag of await Promise.all(suites.map(build))) console.log(tag);
