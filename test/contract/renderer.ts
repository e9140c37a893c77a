/** What every renderer promises, run against each of them on the same recorded journals. */
import { Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FleetEvent } from "../../src/rollout/events.ts";
import type { Renderer } from "../../src/ui/renderer.ts";
import {
  canaryFailed,
  drained,
  install,
  type Journal,
  large,
  MESH_DOWN,
  stream,
  success,
  undo,
} from "../ui/journals.ts";
import { ioFor, Sink } from "../ui/terminal.ts";

export interface RendererUnderTest {
  readonly renderer: Renderer;
  /** The commands a reader is told to type next, from everything that was written. */
  readonly nextCommands: (text: string) => readonly string[];
  /** Only passes events on: knows no more than they say. */
  readonly passThrough?: boolean;
}

const JOURNALS: Readonly<Record<string, () => Journal>> = {
  success,
  "canary failed and paused": canaryFailed,
  undo,
  "drained by ^C": drained,
  install,
  "500 hosts": large,
};

async function render(under: RendererUnderTest, events: Iterable<FleetEvent>): Promise<string> {
  const out = new Sink();
  await under.renderer(stream(events), ioFor(out, { columns: () => 100, rows: () => 30 }));
  return out.text;
}

export function rendererContract(name: string, under: RendererUnderTest): void {
  describe(`${name} renderer`, () => {
    for (const [title, build] of Object.entries(JOURNALS)) {
      it(`tells ${title}`, { timeout: 30_000 }, async () => {
        const journal = build();
        const text = await render(under, journal.events);
        const flat = text.replace(/\s+/g, " ");
        for (const { host, message } of failuresOf(journal)) {
          expect(text).toContain(host);
          expect(flat).toContain(message);
        }
        const said = journal.events.findLast((e) => e.type === "summary")?.data.next ?? [];
        const next = under.nextCommands(text);
        for (const command of said) expect(next).toContain(command);
        if (under.passThrough) return;
        expect(next.length).toBeGreaterThan(0);
        for (const command of next) expect(command).toMatch(/^macula-fleet [a-z]/);
      });
    }

    it("ends wherever the stream ends", { timeout: 30_000 }, async () => {
      const { events } = canaryFailed();
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: events.length }), async (n) => {
          const text = await render(under, events.slice(0, n));
          if (n > 0) expect(text).toContain("r-7");
        }),
        { numRuns: 20 },
      );
    });

    it("passes on what the stream throws", async () => {
      async function* broken(): AsyncGenerator<FleetEvent> {
        yield* canaryFailed().events.slice(0, 5);
        throw new Error("the journal is gone");
      }
      await expect(under.renderer(broken(), ioFor(new Sink()))).rejects.toThrow("the journal is gone");
    });

    it("follows the run to its end when its reader has gone away", async () => {
      const journal = canaryFailed();
      let seen = 0;
      async function* watched(): AsyncGenerator<FleetEvent> {
        for (const event of journal.events) {
          seen += 1;
          yield event;
        }
      }
      const gone = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) });
      await under.renderer(watched(), ioFor(gone));
      expect(seen).toBe(journal.events.length);
    });

    it("lets no host write control sequences", async () => {
      const title = "\u001b]0;owned\u0007";
      const message = `bad ${title}\u001b[2Jnews\u202e`;
      const text = await render(
        under,
        drained().host("node-03", "failed", { failure: { ...MESH_DOWN, message } }).events,
      );
      expect(text).toContain("node-03");
      expect(text).not.toContain(title);
      expect(text).not.toContain("\u001b[2J");
    });

    it("skips event types of a newer minor version", async () => {
      const { events } = success(3);
      const newer = { ...events[3], type: "host.mood", data: { mood: "curious" } } as unknown as FleetEvent;
      const text = await render(under, [...events.slice(0, 4), newer, ...events.slice(4)]);
      expect(under.nextCommands(text)).toContain("macula-fleet status");
    });
  });
}

/** Of the hosts named in the end: a large run names the first few of every kind. */
function failuresOf(journal: Journal): { host: string; message: string }[] {
  const firsts = new Map<string, { host: string; message: string }>();
  for (const event of journal.events) {
    if (event.type !== "host.state" || event.data.failure === undefined) continue;
    const { code, message } = event.data.failure;
    const known = firsts.get(code);
    if (known === undefined) firsts.set(code, { host: event.host ?? "", message });
  }
  return [...firsts.values()];
}
