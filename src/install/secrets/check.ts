/** Can every secret be had? Asked before anything is confirmed: in an installer it would be too late. */
import { toFailure } from "../../errors.ts";
import type { Host, HostName, Inventory, SecretRef } from "../../inventory/model.ts";
import type { Refusal } from "../checks/index.ts";
import { resolveSecret, type SecretDeps } from "./resolve.ts";
import { wantedSecrets } from "./wanted.ts";

/** Each reference once, one after the other: some ask a hardware key for a touch. The values are dropped. */
export async function missingSecrets(
  hosts: readonly Host[],
  inventory: Pick<Inventory, "clusters">,
  deps: SecretDeps,
): Promise<ReadonlyMap<HostName, readonly Refusal[]>> {
  const wanted = new Map(hosts.map((h) => [h.name, refsOf(h, inventory)]));
  const troubles = new Map<SecretRef, Refusal>();
  for (const ref of new Set([...wanted.values()].flat())) {
    try {
      await resolveSecret(ref, deps);
    } catch (error) {
      deps.signal.throwIfAborted();
      troubles.set(ref, refusalFrom(error));
    }
  }
  const of = (refs: readonly SecretRef[]) => refs.flatMap((r) => troubles.get(r) ?? []);
  return new Map(
    [...wanted].map(([name, refs]) => [name, of(refs)] as const).filter(([, t]) => t.length > 0),
  );
}

export function refusalFrom(error: unknown): Refusal {
  const { code, message, hint } = toFailure(error);
  return { code, severity: "refuse", message, fix: hint ?? "correct that, then look again" };
}

const refsOf = (host: Host, inventory: Pick<Inventory, "clusters">): readonly SecretRef[] => [
  ...new Set(
    wantedSecrets(host, inventory).flatMap(({ from }) =>
      typeof from === "string" ? [from] : Object.values(from),
    ),
  ),
];
