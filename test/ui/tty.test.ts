import { expect, it, vi } from "vitest";
import type { FleetEvent } from "../../src/rollout/events.ts";
import { tty } from "../../src/ui/tty.ts";
import { buildPlan, canaryFailed, Journal, large, stream, success } from "./journals.ts";
import { ioFor, Terminal } from "./terminal.ts";

const SIZES = [
  [60, 12],
  [120, 40],
] as const;

/** Shows `journal` so far on a terminal and holds the stream open until `finish` is called. */
function show(journal: Journal, columns: number, rows: number) {
  const terminal = new Terminal(columns, rows);
  const gate = Promise.withResolvers<void>();
  async function* held(): AsyncGenerator<FleetEvent> {
    yield* journal.events;
    await gate.promise;
  }
  const io = ioFor(terminal, {
    columns: () => terminal.columns,
    rows: () => terminal.rows,
    now: () => Date.parse(journal.events.at(-1)?.ts ?? "") + 1000,
    isLab: true,
    planShown: true,
    drain: new AbortController().signal,
  });
  const done = tty(held(), io);
  return {
    terminal,
    io,
    finish: async () => {
      gate.resolve();
      await done;
      await terminal.settled();
    },
  };
}

/** The spinner turns while the test looks. */
const still = (lines: readonly string[]) => lines.map((l) => l.replace(/[\u2800-\u28ff]/g, "*"));

function midway(): Journal {
  return new Journal(buildPlan(12)).wave(1).update("node-01").fail("node-02").activate("node-03");
}

for (const [columns, rows] of SIZES) {
  it(`shows what runs, what failed and when a host reverts itself at ${columns}x${rows}`, async () => {
    const { terminal, finish } = show(midway(), columns, rows);
    await vi.waitFor(() => expect(terminal.visible.join("\n")).toContain("node-03"));
    expect(still(terminal.visible)).toMatchSnapshot();
    await finish();
  });

  it(`keeps 500 hosts on one screen of ${columns}x${rows}`, async () => {
    const journal = large();
    journal.events.length = 2000;
    const { terminal, finish } = show(journal, columns, rows);
    await vi.waitFor(() => expect(terminal.visible.join("\n")).toContain("health-failed"));
    expect(terminal.all.length).toBeLessThan(rows);
    expect(still(terminal.visible)).toMatchSnapshot();
    await finish();
  });

  it(`leaves the summary and nothing of the live view at ${columns}x${rows}`, async () => {
    const terminal = new Terminal(columns, rows);
    const io = ioFor(terminal, { columns: () => columns, rows: () => rows, planShown: true });
    await tty(stream(canaryFailed().events), io);
    await terminal.settled();
    expect(terminal.all).toMatchSnapshot();
    expect(terminal.all.filter((l) => l.startsWith("r-7 "))).toHaveLength(1);
  });
}

it("survives being made narrower and wider", async () => {
  const { terminal, finish } = show(midway(), 120, 40);
  await vi.waitFor(() => expect(terminal.visible.join("\n")).toContain("node-03"));
  const wide = still(terminal.all);
  terminal.resize(60, 24);
  await vi.waitFor(() => expect(terminal.all.some((l) => l.endsWith("…"))).toBe(true));
  expect(terminal.all.filter((l) => l.startsWith("r-7 "))).toHaveLength(1);
  expect(terminal.all.filter((l) => l.includes("node-02"))).toHaveLength(1);
  terminal.resize(120, 40);
  await vi.waitFor(() => expect(still(terminal.all)).toEqual(wide));
  await finish();
});

it("holds back what others write meanwhile, and gives the streams back", async () => {
  const { terminal, io, finish } = show(midway(), 80, 24);
  await vi.waitFor(() => expect(terminal.visible.join("\n")).toContain("node-03"));
  io.err.write("a stray line\n");
  expect(io.err.text).toBe("");
  await finish();
  expect(io.err.text).toContain("a stray line");
  io.err.write("after\n");
  expect(io.err.text).toContain("after");
});

it("leaves signals alone: ^C belongs to the command", async () => {
  const before = process.listenerCount("SIGINT");
  const { terminal, finish } = show(success(3), 80, 24);
  await vi.waitFor(() => expect(terminal.visible.join("\n")).toContain("r-7"));
  expect(process.listenerCount("SIGINT")).toBe(before);
  await finish();
  expect(process.listenerCount("exit")).toBeLessThan(20);
});

it("shows the plan above the live part unless it was shown before", async () => {
  const terminal = new Terminal(80, 40);
  await tty(stream(canaryFailed().events), ioFor(terminal));
  await terminal.settled();
  expect(terminal.all.join("\n")).toContain("canary 10 % of 12 -> 2");
});
