/** Where an interrupted installation goes on: what the machine is now decides, the journal only where it is silent. Pure. */
import type { HostFacts } from "../host/protocol.ts";
import type { HostState } from "../rollout/events.ts";

/** What the machine shows itself as; null: it does not answer. */
export type Found =
  | { readonly is: "installed" }
  | { readonly is: "installer"; readonly mounted: boolean; readonly bootId: string }
  | { readonly is: "old-system" }
  /** Neither what was planned to be replaced nor what was planned: somebody has been here since. */
  | { readonly is: "other-system"; readonly runs: string }
  | null;

/** `planned`: what it ran when its replacement was confirmed. */
export function foundFrom(
  facts: HostFacts,
  planned: { readonly runs: string; readonly current: string; readonly bootId: string },
): NonNullable<Found> {
  if (facts.os.variant !== "installer") {
    const same = facts.bootId === planned.bootId || runsOf(facts) === planned.runs;
    if (same && facts.current === planned.current) return { is: "old-system" };
    return { is: "other-system", runs: [runsOf(facts), facts.current].filter(Boolean).join(" ") };
  }
  const mounted = facts.disks.some((d) => d.mounted.some((m) => m === "/mnt" || m.startsWith("/mnt/")));
  return { is: "installer", mounted, bootId: facts.bootId };
}

/** `debian 12`, as plans have it. */
export const runsOf = ({ os }: HostFacts): string =>
  [os.id, os.variant === "installer" ? "installer" : os.version].filter(Boolean).join(" ");

const PAST_ERASING: ReadonlySet<HostState> = new Set(["installing", "restoring", "restarting", "verifying"]);

/**
 * `reached`: the phase an earlier controller had entered; null: none. An installer that has restarted since has
 * nothing mounted: its disk, erased already, is partitioned again. Null: nothing can be said, so nothing is done.
 */
export function resumeAt(reached: HostState | null, found: Found): HostState | null {
  if (found === null) return reached === "restarting" || reached === "verifying" ? "verifying" : null;
  switch (found.is) {
    case "other-system":
      return null;
    case "installed":
      return "verifying";
    case "old-system":
      return "kexec";
    case "installer":
      // Its first phase is passed over where it was in an installer from the beginning.
      if (reached === null) return "kexec";
      if (reached === "kexec" || !PAST_ERASING.has(reached)) return "partitioning";
      if (reached === "installing" || reached === "restoring")
        return found.mounted ? reached : "partitioning";
      // Installed, and in an installer still (it did not restart) or again (it boots from the stick).
      return found.mounted ? "restarting" : "verifying";
  }
}
