/** The kernel's command line as configuration: `maculaos.token=x`, repeated keys make a list. Pure. */
import type { Tree } from "./normalise.ts";

const ROOTS = new Set([
  "maculaos",
  "k3os",
  "hostname",
  "ssh_authorized_keys",
  "run_cmd",
  "boot_cmd",
  "init_cmd",
]);

export function fromCmdline(cmdline: string): Tree {
  const found = new Map<string, string[]>();
  for (const word of words(cmdline)) {
    const [key = "", ...rest] = word.split("=");
    if (!ROOTS.has(key.split(".")[0] ?? "")) continue;
    found.set(key, [...(found.get(key) ?? []), rest.length === 0 ? "true" : rest.join("=")]);
  }
  const tree: Tree = {};
  for (const [key, values] of found) {
    const parts = key.split(".");
    const last = parts.pop() ?? key;
    let at = tree;
    for (const part of parts) {
      const next = at[part];
      const below: Tree = typeof next === "object" && next !== null ? (next as Tree) : {};
      at[part] = below;
      at = below;
    }
    at[last] = values.length === 1 ? values[0] : values;
  }
  return tree;
}

/** Splits on blanks, honouring double quotes, as the kernel does. */
function words(cmdline: string): string[] {
  return [...cmdline.matchAll(/(?:[^\s"]+|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', ""));
}
