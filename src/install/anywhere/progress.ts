/** What nixos-anywhere says of itself: `### step ###` lines on stdout, everything else is noise. Pure. */
import { CAUSES, WAITS } from "./causes.ts";

export function stepOf(line: string): string | null {
  return /^### (.+) ###$/.exec(line.trim())?.[1] ?? null;
}

export interface Diagnosis {
  readonly message: string;
  readonly fix: string;
}

/**
 * `lines`: the last lines of output, both streams. Its exit status says nothing (§3.2 of its contract: whatever the
 * program that failed ended with), so the last step and the words of the programs below it decide.
 */
export function diagnose(
  step: string | null,
  lines: readonly string[],
  how: "failed" | "waited" = "failed",
): Diagnosis {
  const text = lines.filter((l) => stepOf(l) === null).join("\n");
  const known =
    CAUSES.find((c) => c.when.test(text) && (c.at === undefined || c.at.test(step ?? ""))) ??
    (how === "waited" ? WAITS.find((w) => w.at.test(step ?? "")) : undefined);
  const at = step === null ? "before its first step" : `at "${step}"`;
  const last = lines.findLast((l) => l.trim() !== "" && stepOf(l) === null) ?? "";
  return known
    ? { message: `nixos-anywhere ${how} ${at}: ${known.message}`, fix: known.fix }
    : {
        message: `nixos-anywhere ${how} ${at}${last === "" ? "" : `: ${last.trim()}`}`,
        fix: "the log of the run has everything it said",
      };
}

/**
 * Lines after which nixos-anywhere would go on trying for ever, in vain. While it uploads its key only: later another
 * machine may hold the address, and ours be found elsewhere. `times`: how often such a line was seen, this one included.
 */
export function isHopeless(step: string | null, line: string, times: number): boolean {
  if (step !== "Uploading install SSH keys") return false;
  return times >= (hopelessKinds.find((k) => k.when.test(line))?.patience ?? Number.POSITIVE_INFINITY);
}

export const isDiscouraging = (line: string): boolean => hopelessKinds.some((k) => k.when.test(line));

const hopelessKinds: readonly { readonly when: RegExp; readonly patience: number }[] = [
  { when: /Host key verification failed/, patience: 1 },
  { when: /Could not resolve hostname \S+\.macula-fleet\.invalid/, patience: 1 },
  // ssh-copy-id itself is refused once before it has installed its key.
  { when: /Permission denied \((publickey|password|keyboard)|Too many authentication failures/, patience: 4 },
];
