import { Hono } from "hono";
import { METRICS_CONTENT_TYPE, metricsText } from "../metrics.ts";
import { liveLines } from "../view/layout.ts";
import { report } from "../view/report.ts";
import { summaryLines } from "../view/summary.ts";
import type { WebDeps } from "./deps.ts";
import { PAGE, SCRIPT, STYLE } from "./page.ts";
import { eventStream } from "./stream.ts";
import { createViews } from "./views.ts";

/** Runs counted in `/metrics` and listed by `/runs`: the newest. */
const RECENT = 50;
/** As little as a page may load: everything from here, nothing inline, no frames. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'";

/**
 * The dashboard: read-only, a fold over the journal like every other view.
 * `/` page · `/runs` · `/runs/:id` · `/runs/:id/view?columns=N` lines · `/runs/:id/events` SSE · `/metrics`.
 */
export function createWebApp(deps: WebDeps): Hono {
  const app = new Hono();
  const views = createViews(deps.store);

  app.use(async (c, next) => {
    await next();
    c.header("Content-Security-Policy", CSP);
    c.header("X-Content-Type-Options", "nosniff");
    c.header("Referrer-Policy", "no-referrer");
    c.header("Cache-Control", "no-store");
  });
  app.get("/", (c) => c.html(PAGE));
  app.get("/page.js", (c) => c.body(SCRIPT, 200, { "Content-Type": "text/javascript; charset=utf-8" }));
  app.get("/page.css", (c) => c.body(STYLE, 200, { "Content-Type": "text/css; charset=utf-8" }));

  app.get("/runs", async (c) => c.json(await deps.store.runs({ limit: RECENT })));
  app.get("/runs/:id", async (c) => {
    const view = await views.of(c.req.param("id"));
    return view === null ? c.json(unknown(c.req.param("id")), 404) : c.json(report(view));
  });
  app.get("/runs/:id/view", async (c) => {
    const view = await views.of(c.req.param("id"));
    if (view === null) return c.json(unknown(c.req.param("id")), 404);
    const columns = bounded(c.req.query("columns"), 40, 300, 120);
    const now = deps.clock.now();
    const live = liveLines(view, { columns, rows: 200, now, isLab: deps.isLab });
    const settled = view.run.endedAt !== null || view.run.status === "paused";
    return c.json({
      seq: view.run.lastSeq,
      lines: settled ? [...live, [], ...summaryLines(view, { now })] : live,
    });
  });
  app.get("/runs/:id/events", async (c) => {
    const run = await deps.store.run(c.req.param("id"));
    if (run === null) return c.json(unknown(c.req.param("id")), 404);
    const since = bounded(
      c.req.header("Last-Event-ID") ?? c.req.query("since"),
      0,
      Number.MAX_SAFE_INTEGER,
      0,
    );
    return eventStream(c, deps, run.id, since);
  });
  app.get("/metrics", async (c) => {
    const runs = await deps.store.runs({ limit: RECENT });
    const all = await Promise.all(runs.map((run) => views.of(run.id)));
    const text = await metricsText(all.filter((view) => view !== null));
    return c.body(text, 200, { "Content-Type": METRICS_CONTENT_TYPE });
  });
  app.notFound((c) => c.json({ error: "there is nothing here" }, 404));
  return app;
}

const unknown = (id: string) => ({ error: `there is no run ${id}` });

function bounded(text: string | undefined, min: number, max: number, otherwise: number): number {
  const n = Number(text ?? otherwise);
  return Number.isInteger(n) ? Math.min(max, Math.max(min, n)) : otherwise;
}
