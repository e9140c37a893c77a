import { expect, it } from "vitest";
import type { Clock } from "../../src/kernel/clock.ts";
import type { EventBody, FleetEvent } from "../../src/rollout/events.ts";
import { MemoryStore } from "../../src/store/memory.ts";
import type { Line } from "../../src/ui/view/line.ts";
import { textOf } from "../../src/ui/view/line.ts";
import { createWebApp } from "../../src/ui/web/server.ts";
import { canaryFailed, type Journal, MESH_DOWN, START, success } from "./journals.ts";

const bodyOf = ({ ts: _ts, seq: _seq, rollout: _rollout, ...body }: FleetEvent) => body as EventBody;

/** A store with the journal up to `n` events, an app over it, and a clock whose sleeps append the next event. */
async function serve(journal: Journal, o: { upTo?: number } = {}) {
  const store = new MemoryStore();
  const { id, fleet: _fleet, revision } = journal.plan;
  await store.create({
    id,
    kind: "rollout",
    revision,
    state: "planned",
    operator: "ada",
    createdAt: START,
    hosts: journal.plan.hosts.length,
  });
  let written = 0;
  const write = async () => {
    const event = journal.events[written];
    if (event === undefined) return;
    const now = Date.parse(event.ts);
    const state = event.type === "rollout.state" ? { state: event.data.to } : {};
    await store.append(id, written, [bodyOf(event)], { now, ...state });
    written += 1;
  };
  while (written < (o.upTo ?? journal.events.length)) await write();
  const stop = new AbortController();
  const clock: Clock = {
    now: () => journal.now,
    async sleep(_ms, signal) {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      await write();
    },
  };
  return { app: createWebApp({ store, clock, isLab: true, signal: stop.signal }), stop };
}

interface Message {
  readonly id?: string;
  readonly event?: string;
  readonly data: string;
}

function parseSse(text: string): Message[] {
  return text
    .trim()
    .split("\n\n")
    .map(
      (block) => Object.fromEntries(block.split("\n").map((l) => l.split(/: (.*)/s).slice(0, 2))) as Message,
    );
}

it("serves a page that loads nothing from elsewhere and lets no markup in", async () => {
  const { app } = await serve(success(3));
  const page = await app.request("/");
  expect(page.status).toBe(200);
  expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
  const html = await page.text();
  expect(html).not.toMatch(/https?:|style=|<script>|onclick/);
  for (const [, path] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
    const asset = await app.request(path ?? "");
    expect(asset.status).toBe(200);
    expect(await asset.text()).not.toContain("innerHTML");
  }
});

it("lists runs and reports one as the json renderer does", async () => {
  const { app } = await serve(canaryFailed());
  expect(await (await app.request("/runs")).json()).toMatchObject([{ id: "r-7", state: "paused" }]);
  const report = await (await app.request("/runs/r-7")).json();
  expect(report).toMatchObject({ run: "r-7", reason: "failures", summary: { failed: 1, exit: 3 } });
});

it("sends the lines of the terminal's view, with the failure and the next command", async () => {
  const { app } = await serve(canaryFailed());
  const answer = (await (await app.request("/runs/r-7/view?columns=100")).json()) as {
    seq: number;
    lines: Line[];
  };
  const text = answer.lines.map(textOf).join("\n");
  expect(text).toContain("LAB");
  expect(text).toContain(MESH_DOWN.message);
  expect(text.trimEnd().split("\n").at(-1)).toContain("macula-fleet rollout undo r-7");
});

it("streams the journal as it grows, every event with its place, and says when the run is over", async () => {
  const journal = success(3);
  const { app } = await serve(journal, { upTo: 4 });
  const messages = parseSse(await (await app.request("/runs/r-7/events")).text());
  const ids = messages.flatMap((m) => (m.id === undefined ? [] : [Number(m.id)]));
  const last = journal.events.findIndex((e) => e.type === "rollout.state" && e.data.to === "succeeded") + 1;
  expect(ids).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  expect(JSON.parse(messages[0]?.data ?? "")).toMatchObject({ type: "plan", seq: 1 });
  expect(messages.at(-1)).toMatchObject({ event: "end" });
});

it("goes on after the last event a browser has seen", async () => {
  const journal = success(3);
  const { app } = await serve(journal);
  const answer = await app.request("/runs/r-7/events", {
    headers: { "Last-Event-ID": String(journal.events.length - 2) },
  });
  expect(parseSse(await answer.text()).map((m) => m.id)).toEqual([
    String(journal.events.length - 1),
    String(journal.events.length),
    undefined,
  ]);
});

it("ends open streams when the server stops", async () => {
  const { app, stop } = await serve(canaryFailed());
  const answer = await app.request("/runs/r-7/events");
  stop.abort();
  expect(parseSse(await answer.text()).length).toBeLessThanOrEqual(canaryFailed().events.length);
});

it("answers scrapers", async () => {
  const { app } = await serve(canaryFailed());
  const answer = await app.request("/metrics");
  expect(answer.headers.get("Content-Type")).toContain("text/plain");
  expect(await answer.text()).toContain('macula_fleet_run_hosts{run="r-7",state="reverted"} 1');
});

it.each(["/runs/r-99", "/runs/r-99/view", "/runs/r-99/events", "/etc/passwd"])(
  "knows no %s",
  async (path) => {
    const { app } = await serve(success(3));
    const answer = await app.request(path);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toHaveProperty("error");
  },
);

it("only answers to reading", async () => {
  const { app } = await serve(success(3));
  for (const method of ["POST", "PUT", "DELETE"]) {
    expect((await app.request("/runs/r-7", { method })).status).toBe(404);
  }
});
