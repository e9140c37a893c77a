/** References read once per run: hosts share tokens, and each reading may ask for a touch of a hardware key. */
import type { SecretRef } from "../../inventory/model.ts";
import type { Secret } from "../../kernel/secret.ts";
import { resolveSecret, type SecretDeps } from "./resolve.ts";

/** One reading at a time; what failed is tried again when it is asked for again. */
export function resolveOnce(): typeof resolveSecret {
  const known = new Map<SecretRef, Promise<Secret>>();
  let last: Promise<unknown> = Promise.resolve();
  return (ref: SecretRef, deps: SecretDeps) => {
    const found = known.get(ref);
    if (found) return found;
    const reading = last.then(() => resolveSecret(ref, deps));
    last = reading.catch(() => known.delete(ref));
    known.set(ref, reading);
    return reading;
  };
}
