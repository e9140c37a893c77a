/** The text of `DIR/bin/nixos-anywhere`: starts the stand-in with the Node that runs the lab. */
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";
import { quote, sh } from "../kernel/shell.ts";

/** A module beside this one, with the ending this one has (`.ts` from source, `.js` when built). */
export function sibling(name: string): string {
  const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return fileURLToPath(new URL(`./${name}${ending}`, import.meta.url));
}

/** `cache`: a directory for compiled code; one process per host and phase would otherwise compile all of it. */
export function launcherScript(dir: string, cache: string): string {
  return `#!/bin/sh
# LAB STAND-IN for nixos-anywhere: it "installs" simulated hosts of one lab and nothing else.
NODE_COMPILE_CACHE=${quote(cache)}; export NODE_COMPILE_CACHE
exec ${sh`${execPath} ${sibling("nixos-anywhere")} ${dir}`} "$@"
`;
}
