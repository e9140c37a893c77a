import { randomBytes } from "node:crypto";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { z } from "zod";
import { sameCode } from "../code.ts";
import type { Outcome, Pairing } from "../pairing.ts";
import { qrSvg } from "../qr.ts";
import { type GuardDeps, guard, isSameOrigin } from "./guard.ts";
import { ICON, page } from "./page.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { type Said, say } from "./words.ts";

export interface WizardDeps extends GuardDeps {
  readonly pairing: Pairing;
  /** `http://<host>.local`, where people find this page. */
  readonly url: string;
  /** Where its user gets a portal code; null when no portal is set. */
  readonly portal: string | null;
  /** Ends a pairing under way; not tied to one browser, as a code once exchanged must not get lost. */
  readonly signal: AbortSignal;
  readonly onOutcome: (outcome: Outcome) => void;
  readonly onProblem: (error: Error) => void;
  /** The inventory entry, once paired. */
  readonly proposal: () => string | null;
}

const Typed = z.object({
  portal_code: z.string().max(200).default(""),
  node_code: z.string().max(200).default(""),
});

/** The wizard: `/` page · `POST /pair` · `/status` · `/qr.svg` · `/static/…`. */
export function createWizard(deps: WizardDeps): Hono {
  const app = new Hono();
  /** For the plain form, which has no content type of its own to be told by. */
  const token = randomBytes(24).toString("base64url");
  const show = (said: Said | null) =>
    page({ ...deps, token, state: deps.pairing.state, said, entry: deps.proposal() });

  app.use(guard(deps));
  app.get("/", (c) => c.html(show(null)));
  app.get("/static/icon.svg", (c) => c.body(ICON, 200, { "Content-Type": "image/svg+xml" }));
  app.get("/static/page.css", (c) => c.body(STYLE, 200, { "Content-Type": "text/css; charset=utf-8" }));
  app.get("/static/page.js", (c) =>
    c.body(SCRIPT, 200, { "Content-Type": "text/javascript; charset=utf-8" }),
  );
  app.get("/qr.svg", (c) => c.body(qrSvg(deps.url), 200, { "Content-Type": "image/svg+xml" }));
  app.get("/status", (c) =>
    c.json({
      configured: deps.pairing.state === "paired",
      hostname: deps.hostname,
      state: deps.pairing.state,
      tries_left: deps.pairing.triesLeft,
    }),
  );

  const small = bodyLimit({ maxSize: 4096, onError: (c) => c.json({ error: "too long" }, 413) });
  app.post("/pair", small, async (c) => {
    const origin = {
      host: c.req.header("host"),
      origin: c.req.header("origin"),
      site: c.req.header("sec-fetch-site"),
    };
    if (!isSameOrigin(origin)) return c.json({ error: "only from this machine's own page" }, 403);
    const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
    const asForm = type === "application/x-www-form-urlencoded";
    if (!asForm && type !== "application/json") return c.json({ error: "JSON or this page's form" }, 415);
    const body: unknown = asForm ? await c.req.parseBody() : await c.req.json().catch(() => null);
    if (asForm && !sameCode(String((body as { token?: unknown }).token), token))
      return c.html(show({ status: 403, error: "This page was too old. Please try again." }), 403);
    const typed = Typed.safeParse(body);
    const outcome = typed.success
      ? await deps.pairing.attempt(
          { nodeCode: typed.data.node_code, portalCode: typed.data.portal_code },
          deps.signal,
        )
      : ({ kind: "invalid", field: "portal_code" } as const);
    deps.onOutcome(outcome);
    const said = say(outcome, deps.proposal());
    return asForm ? c.html(show(said), said.status) : c.json(answer(said), said.status);
  });
  app.notFound((c) => c.json({ error: "there is nothing here" }, 404));
  app.onError((error, c) => {
    deps.onProblem(error);
    return c.json(
      { error: "Something failed on the machine. Its journal says what: macula-firstboot." },
      500,
    );
  });
  return app;
}

function answer({ status: _, ...rest }: Said): object {
  return rest;
}
