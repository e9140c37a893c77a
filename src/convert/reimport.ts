/** The node's inventory fragment from its archive, to be compared with what was read of it alive. Pure. */

import { DUMP } from "../import/config/read.ts";
import { importNode } from "../import/import-node.ts";
import { type NodeFiles, nodeFiles } from "../import/node-files.ts";
import { LIVE } from "../import/read/live.ts";

/** What only a running node tells is no matter of the archive. */
const COMPARED =
  /^\/(?:var\/lib\/maculaos|macula\/system|var\/lib\/connman|home\/macula\/\.ssh|etc\/cron\.d|etc\/rancher\/k3s)\//;

export function fragmentOf(files: NodeFiles, name: string): string {
  const paths = ["/var/lib", "/macula", "/home", "/etc"]
    .flatMap((dir) => files.below(dir))
    .filter((p) => COMPARED.test(p) && p !== LIVE.hostname && p !== DUMP);
  // A live reader shows only the public half of the identity: the mapping takes no more of it either.
  const kept = nodeFiles(paths.map((p) => [p, files.text(p) ?? ""] as const));
  const { fragment, secrets } = importNode(kept, { name, address: "0.0.0.0" });
  return JSON.stringify({ fragment, secrets: secrets.map((s) => s.file) });
}
