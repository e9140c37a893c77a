import { z } from "zod";
import { Secret } from "../kernel/secret.ts";

export interface PairingRequest {
  /** What the portal showed its user. */
  readonly portalCode: string;
  /** What this machine shows on its screen. */
  readonly nodeCode: string;
  readonly hostname: string;
}

export interface Credentials {
  readonly userName: string;
  readonly orgIdentity: string;
  readonly refreshToken: Secret;
}

export type PortalAnswer =
  | { readonly kind: "paired"; readonly credentials: Credentials }
  /** The portal does not know this code: another one is needed. */
  | { readonly kind: "refused"; readonly reason: string }
  /** No verdict on the code: the same may work later. */
  | { readonly kind: "unavailable"; readonly reason: string };

export interface Portal {
  exchange(request: PairingRequest, signal: AbortSignal): Promise<PortalAnswer>;
}

const Answer = z.object({
  user_name: z.string().max(200),
  org_identity: z.string().max(200),
  refresh_token: z.string().min(1).max(8192),
});

const PATIENCE_MS = 20_000;
const LARGEST_ANSWER = 64 * 1024;

/** The portal over HTTPS. It is never followed elsewhere, and what it says is never trusted to be short or sane. */
export function createPortal(url: URL, request: typeof fetch = fetch): Portal {
  const endpoint = new URL(`${url.pathname.replace(/\/+$/, "")}/api/console/pair`, url);
  return {
    async exchange({ portalCode, nodeCode, hostname }, signal) {
      let status: number;
      let text: string;
      try {
        const response = await request(endpoint, {
          method: "POST",
          redirect: "error",
          headers: { "content-type": "application/json", accept: "application/json" },
          body: JSON.stringify({ pairing_code: portalCode, node_code: nodeCode, hostname }),
          signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
        });
        status = response.status;
        text = await limited(response);
      } catch {
        signal.throwIfAborted();
        return unavailable("the portal cannot be reached");
      }
      const said = parse(text);
      if (status === 200) {
        const answer = Answer.safeParse(said);
        if (!answer.success) return unavailable("the portal's answer cannot be read");
        const { user_name, org_identity, refresh_token } = answer.data;
        return {
          kind: "paired",
          credentials: {
            userName: user_name,
            orgIdentity: org_identity,
            refreshToken: new Secret(refresh_token),
          },
        };
      }
      if (status === 429 || status >= 500) return unavailable(`the portal is not ready (${status})`);
      return { kind: "refused", reason: reasonOf(said) ?? `the portal refused (${status})` };
    },
  };
}

const unavailable = (reason: string): PortalAnswer => ({ kind: "unavailable", reason });

async function limited(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > LARGEST_ANSWER) throw new RangeError("too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The portal's own words, as one short line without control characters. */
function reasonOf(said: unknown): string | null {
  const error = z.object({ error: z.string().min(1) }).safeParse(said);
  if (!error.success) return null;
  return (
    error.data.error
      .replace(/\p{C}+/gu, " ")
      .trim()
      .slice(0, 200) || null
  );
}
