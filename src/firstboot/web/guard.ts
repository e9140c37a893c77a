import { isIP } from "node:net";
import type { MiddlewareHandler } from "hono";

/**
 * Only names this machine answers to: its own, with or without `.local`, and bare addresses. A page elsewhere that
 * makes its own name point here (DNS rebinding) does not get through.
 */
export function isOwnHost(header: string | undefined, hostname: string): boolean {
  if (header === undefined) return false;
  let name: string;
  try {
    name = new URL(`http://${header}`).hostname.replace(/^\[|\]$/g, "").toLowerCase();
  } catch {
    return false;
  }
  if (isIP(name) !== 0 || name === "localhost") return true;
  const own = hostname.toLowerCase();
  return name === own || name === `${own}.local`;
}

/** Does a request that changes something come from our own page? Programs that are no browsers send neither header. */
export function isSameOrigin(headers: {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly site: string | undefined;
}): boolean {
  if (headers.site !== undefined && headers.site !== "same-origin") return false;
  return headers.origin === undefined || headers.origin === `http://${headers.host ?? ""}`;
}

/** As little as a page may load: everything from here, nothing inline, no frames. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export interface GuardDeps {
  readonly hostname: string;
  readonly isNear: (peer: string) => boolean;
}

/** Neighbours only, under our own name only, and nothing kept anywhere. */
export function guard(
  deps: GuardDeps,
): MiddlewareHandler<{ Bindings: { incoming?: { socket: { remoteAddress?: string } } } }> {
  return async (c, next) => {
    const peer = c.env?.incoming?.socket.remoteAddress;
    if (peer === undefined || !deps.isNear(peer)) return c.json({ error: "only from the same network" }, 403);
    if (!isOwnHost(c.req.header("host"), deps.hostname))
      return c.json({ error: "this machine has another name" }, 421);
    await next();
    c.header("Content-Security-Policy", CSP);
    c.header("X-Content-Type-Options", "nosniff");
    // Not "no-referrer": a form would then send no origin to compare.
    c.header("Referrer-Policy", "same-origin");
    c.header("Cache-Control", "no-store");
    return undefined;
  };
}
