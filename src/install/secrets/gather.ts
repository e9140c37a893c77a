/** A machine's secrets as files to deliver. */
import type { Host, Inventory, SecretRef } from "../../inventory/model.ts";
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
  resolve = resolveSecret,
): Promise<readonly SecretFile[]> {
  const files: SecretFile[] = [];
  // One after the other: each may ask a hardware key for a touch.
  for (const wanted of wantedSecrets(host, inventory)) {
    const { path, mode, installOnly } = wanted;
    files.push({
      path,
      mode,
      installOnly,
      content: await contentOf(wanted.from, (ref) => resolve(ref, deps)),
    });
  }
  return files;
}

async function contentOf(
  from: WantedSecret["from"],
  resolve: (ref: SecretRef) => Promise<Secret>,
): Promise<Secret> {
  if (typeof from === "string") return resolve(from);
  const lines: string[] = [];
  for (const [name, ref] of Object.entries(from)) {
    lines.push(`${name}=${(await resolve(ref)).reveal()}\n`);
  }
  return new Secret(lines.join(""));
}
