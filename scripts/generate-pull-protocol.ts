/**
 * Writes `flake/modules/pull/protocol` from the scripts of the host protocol: a machine that pulls is its own
 * controller, and the flake may be all it was made from. Run: node scripts/generate-pull-protocol.ts
 */
import { writeFileSync } from "node:fs";
import { PULL_PROTOCOL } from "../src/host/pull-protocol.ts";

for (const [name, text] of Object.entries(PULL_PROTOCOL)) {
  writeFileSync(new URL(`../flake/modules/pull/protocol/${name}.sh`, import.meta.url), text);
}
