/** A conversion's plan and its proofs as lines. Pure. */
import prettyBytes from "pretty-bytes";
import type { Conversion } from "./plan.ts";
import type { Proof } from "./proofs.ts";

const WORDS = { keep: "kept", archive: "archived only", drop: "dropped" } as const;

export function conversionLines(c: Conversion): string[] {
  const { strategy } = c;
  return [
    `convert ${c.host}: k3OS -> NixOS`,
    ...(c.node ? [`  node ${c.node.name} of its cluster, spoken to through ${c.server ?? "nobody"}`] : []),
    ...c.kept
      .filter((k) => k.kib > 0 || k.action === "drop")
      .map(
        (k) =>
          `  ${WORDS[k.action].padEnd(14)} ${k.what}${k.kib > 0 ? ` (${prettyBytes(k.kib * 1024)})` : ""}`,
      ),
    `  archive: ${prettyBytes(c.archiveKib * 1024)}, encrypted, streamed to this machine`,
    `  without this node for about ${c.downtimeMinutes} minutes`,
    strategy.ok ? `  k3s: ${strategy.kind}: ${strategy.why}` : `  k3s: REFUSED: ${strategy.reason}`,
    ...(strategy.ok ? strategy.steps.map((s) => `    - ${s}`) : [`    -> ${strategy.fix}`]),
    ...c.refusals.flatMap((r) => [
      `  ${r.severity === "refuse" ? "REFUSED" : "note"}: ${r.message}`,
      `    -> ${r.fix}`,
    ]),
    ...(c.needsHuman.length > 0 ? [`  needs a human (${c.needsHuman.length}):`] : []),
    ...c.needsHuman.flatMap((n) => [`    ${n.topic}: ${n.what}`, `      -> ${n.suggestion}`]),
  ];
}

export function proofLines(proofs: readonly Proof[]): string[] {
  const width = Math.max(...proofs.map((p) => p.what.length), 0);
  return [
    ...proofs.map((p) => `  ${p.ok ? "ok    " : "FAILED"} ${p.what.padEnd(width)}  ${p.detail}`),
    `preserved ${proofs.filter((p) => p.ok).length}/${proofs.length}`,
  ];
}
