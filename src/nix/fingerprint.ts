/** What an evaluation depends on, as one hash: for remembering its result. Pure. */
import { createHash } from "node:crypto";
import { z } from "zod";

const Locked = z.looseObject({
  type: z.string().optional(),
  path: z.string().optional(),
  ref: z.string().optional(),
  rev: z.string().optional(),
  narHash: z.string().optional(),
});
const Metadata = z.looseObject({
  locked: Locked.optional(),
  locks: z.looseObject({
    root: z.string(),
    nodes: z.record(z.string(), z.looseObject({ locked: Locked.optional() })),
  }),
});

/**
 * From `nix flake metadata --json`: the flake and every input, as locked. Null when something is not pinned (a dirty
 * work tree), so that the same words could mean something else tomorrow.
 */
export function fingerprint(metadata: string): string | null {
  const parsed = Metadata.safeParse(JSON.parse(metadata));
  if (!parsed.success) return null;
  const { locked, locks } = parsed.data;
  if (locked === undefined || !pinned(locked)) return null;
  for (const [name, node] of Object.entries(locks.nodes)) {
    if (name === locks.root) continue;
    if (node.locked === undefined || !(pinned(node.locked) || inside(node.locked))) return null;
  }
  // Nix names the branch when it fetches a commit, and not when it has it already.
  const { ref: _, ...commit } = locked;
  return createHash("sha256")
    .update(JSON.stringify([commit, locks]))
    .digest("hex");
}

type Locked = z.infer<typeof Locked>;
const pinned = ({ rev, narHash }: Locked): boolean => rev !== undefined || narHash !== undefined;
/** A folder of the flake itself: pinned with it. */
const inside = ({ type, path }: Locked): boolean =>
  type === "path" && path !== undefined && !path.startsWith("/");
