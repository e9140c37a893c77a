import { stripVTControlCharacters } from "node:util";
import { expect, it } from "vitest";
import { FleetEvent, VersionLine } from "../../src/rollout/events.ts";
import { OUTPUT_FORMATS, RENDERERS } from "../../src/ui/index.ts";
import { tty } from "../../src/ui/tty.ts";
import type { RunReport } from "../../src/ui/view/report.ts";
import { rendererContract } from "../contract/renderer.ts";
import { canaryFailed, install, large, stream, success } from "./journals.ts";
import { ioFor, Sink } from "./terminal.ts";

const afterNext = (text: string): string[] => {
  const lines = stripVTControlCharacters(text).trimEnd().split(/\r?\n/);
  const from = lines.findLastIndex((l) => l.startsWith(" next: "));
  return from < 0 ? [] : lines.slice(from).map((l) => l.slice(7).replace(/ +# .*$/, ""));
};
const parseLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((l) => JSON.parse(l));

rendererContract("plain", { renderer: RENDERERS.plain, nextCommands: afterNext });
rendererContract("terminal", { renderer: tty, nextCommands: afterNext });
rendererContract("json", {
  renderer: RENDERERS.json,
  nextCommands: (text) => (JSON.parse(text) as RunReport | null)?.summary.next ?? [],
});
rendererContract("ndjson", {
  renderer: RENDERERS.ndjson,
  passThrough: true,
  nextCommands: (text) =>
    parseLines(text).flatMap((e) => (e.type === "summary" ? (e.data as { next: string[] }).next : [])),
});

it("offers exactly the formats of the contract", () => {
  expect(OUTPUT_FORMATS).toEqual(["human", "plain", "json", "ndjson"]);
});

it("falls back to plain lines where nobody looks at a screen", async () => {
  const [human, plain] = [new Sink(), new Sink()];
  await RENDERERS.human(stream(canaryFailed().events), ioFor(human));
  await RENDERERS.plain(stream(canaryFailed().events), ioFor(plain));
  expect(human.text).toBe(plain.text);
});

it("prints the version line and then the journal, unchanged and nothing else, as ndjson", async () => {
  const { events } = canaryFailed();
  const out = new Sink();
  await RENDERERS.ndjson(stream(events), ioFor(out, { version: "1.2.3" }));
  const [version, ...rest] = parseLines(out.text);
  expect(VersionLine.parse(version)).toMatchObject({ schema: "1.0", tool: "macula-fleet 1.2.3" });
  expect(rest).toEqual(JSON.parse(JSON.stringify(events)));
  expect(rest.map((e) => FleetEvent.parse(e).seq)).toEqual(events.map((_, i) => i + 1));
});

it("puts the whole run into one json object", async () => {
  const out = new Sink();
  await RENDERERS.json(stream(canaryFailed().events), ioFor(out));
  const report = JSON.parse(out.text) as RunReport;
  expect(report).toMatchObject({ run: "r-7", kind: "rollout", state: "paused", reason: "failures", wave: 1 });
  expect(report.hosts).toHaveLength(12);
  expect(report.hosts[0]).toMatchObject({
    name: "node-01",
    site: "gent",
    state: "reverted",
    failure: { code: "health-failed", message: "failed units: macula-mesh.service" },
  });
  expect(report.summary).toMatchObject({ ok: 1, failed: 1, pending: 10, exit: 3 });
});

it("writes a line for every transition of a small fleet", async () => {
  const journal = canaryFailed();
  const out = new Sink();
  await RENDERERS.plain(stream(journal.events), ioFor(out));
  const moves = journal.events.filter((e) => e.type === "host.state").length;
  expect(out.lines.filter((l) => / -> /.test(l) && /^\d\d:/.test(l))).toHaveLength(moves);
  expect(out.text).toMatchSnapshot();
});

it("writes one summary per ten seconds, and every failure, for a large fleet", async () => {
  const journal = large();
  const out = new Sink();
  await RENDERERS.plain(stream(journal.events), ioFor(out));
  const summaries = out.lines
    .filter((l) => / wave \d\/\d: /.test(l))
    .map((l) => Date.parse(`2026-11-23T${l.slice(0, 8)}Z`));
  expect(summaries.length).toBeGreaterThan(100);
  expect(summaries.every((at, i) => i === 0 || at - (summaries[i - 1] ?? 0) >= 10_000)).toBe(true);
  const failed = journal.events
    .filter((e) => e.type === "host.state" && e.data.to === "reverted")
    .map((e) => e.host);
  for (const host of failed)
    expect(out.lines.some((l) => l.includes(`${host} `) && l.includes("reverted"))).toBe(true);
  expect(out.text).not.toMatch(/node-001 gent/);
});

it("says that the lab is one, and prints no plan that was already shown", async () => {
  const out = new Sink();
  await RENDERERS.plain(stream(success(3).events), ioFor(out, { isLab: true, planShown: true }));
  expect(out.lines[0]).toContain("LAB");
  expect(out.text).not.toContain("plan hash");
});

it("calls an installed host installed and names the command that tries the rest again", async () => {
  const out = new Sink();
  await RENDERERS.plain(stream(install().events), ioFor(out));
  expect(out.text).toContain("verifying -> installed");
  expect(out.text).toMatch(/installing -> restarting {2}\S+/);
  expect(out.text).not.toContain("updated");
  expect(out.lines.at(-1)).toBe(
    "       macula-fleet install --continue i-1              # go on where it stopped",
  );
});

it("colours only when told to", async () => {
  const out = new Sink();
  await RENDERERS.plain(stream(canaryFailed().events), ioFor(out, { color: true }));
  expect(out.text).toContain("\u001b[31m");
  expect(stripVTControlCharacters(out.text)).toContain("macula-fleet rollout undo r-7");
});
