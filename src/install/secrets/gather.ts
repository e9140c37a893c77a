/** A machine's secrets as files to deliver. */
import type { Host, Inventory } from "../../inventory/model.ts";
import { Secret } from "../../kernel/secret.ts";
import { resolveSecret, type SecretDeps } from "./resolve.ts";
import { type WantedSecret, wantedSecrets } from "./wanted.ts";

export interface SecretFile {
  readonly path: string;
  readonly mode: number;
  readonly content: Secret;
  readonly installOnly: boolean;
}

/** Throws `secret-unavailable`. */
export async function gatherSecrets(
  host: Host,
  inventory: Pick<Inventory, "clusters">,
  deps: SecretDeps,
): Promise<readonly SecretFile[]> {
  const files: SecretFile[] = [];
  // One after the other: each may ask a hardware key for a touch.
  for (const wanted of wantedSecrets(host, inventory)) {
    const { path, mode, installOnly } = wanted;
    files.push({ path, mode, installOnly, content: await contentOf(wanted.from, deps) });
  }
  return files;
}

async function contentOf(from: WantedSecret["from"], deps: SecretDeps): Promise<Secret> {
  if (typeof from === "string") return resolveSecret(from, deps);
  const lines: string[] = [];
  for (const [name, ref] of Object.entries(from)) {
    lines.push(`${name}=${(await resolveSecret(ref, deps)).reveal()}\n`);
  }
  return new Secret(lines.join(""));
}
