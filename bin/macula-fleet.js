#!/usr/bin/env node
// Launcher: finds a Node.js new enough, then hands over. Written for old ones: no syntax newer than 2020.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import v8 from "node:v8";

const MINIMUM = [22, 16];
const [major, minor] = process.versions.node.split(".").map(Number);
const recent = major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1]);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (recent) {
  // Before anything grows it: commands wait for most of their time, and V8 would let garbage pile up meanwhile.
  v8.setFlagsFromString("--semi-space-growth-factor=1");
  // Compiled once, not at every start; in a place that belongs to this user alone. Where it cannot write, it does without.
  module.enableCompileCache(
    join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "macula-fleet", "node"),
  );
  // In a checkout the sources are run as they are (Node 24 strips types); a package has only what was built.
  const source = here("../src/main.ts");
  const { main } = await import(major >= 24 && existsSync(source) ? source : here("../dist/main.js"));
  await main(process.argv.slice(2));
} else {
  // The lockfile brings one along for exactly this case.
  const bundled = here(`../node_modules/node-linux-${process.arch}/bin/node`);
  if (!existsSync(bundled)) {
    console.error(
      `macula-fleet needs Node.js ${MINIMUM.join(".")} or newer; this is ${process.versions.node}.`,
    );
    console.error(
      "Install a newer one, or run it through npm, which brings Node.js 24 along: npm ci && npx macula-fleet …",
    );
    process.exit(1);
  }
  const { status, signal } = spawnSync(bundled, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
  });
  process.exit(signal ? 130 : (status ?? 1));
}
