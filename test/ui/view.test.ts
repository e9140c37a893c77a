import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { upperBound } from "../../src/ui/view/confidence.ts";
import { fingerprint, groupFailures } from "../../src/ui/view/failures.ts";
import { bar, clockface, duration, names } from "../../src/ui/view/format.ts";
import { liveLines } from "../../src/ui/view/layout.ts";
import { cutTo, type Line, lineWidth, span, textOf, wrap } from "../../src/ui/view/line.ts";
import { fold, foldAll, type ViewState } from "../../src/ui/view/model.ts";
import { nextCommands } from "../../src/ui/view/next.ts";
import { remaining } from "../../src/ui/view/pace.ts";
import { planLines } from "../../src/ui/view/plan.ts";
import { summaryLines } from "../../src/ui/view/summary.ts";
import { clean, width } from "../../src/ui/view/width.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { buildPlan, canaryFailed, Journal, large, MESH_DOWN, START, success } from "./journals.ts";

const viewOf = (journal: Journal): ViewState => {
  const view = foldAll(journal.events);
  if (view === null) throw new Error("a journal has a plan");
  return view;
};
const live = (journal: Journal, columns = 110, rows = 40): string =>
  liveLines(viewOf(journal), { columns, rows, now: journal.now, isLab: false }).map(textOf).join("\n");
const text = (lines: readonly Line[]): string => lines.map(textOf).join("\n");

const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom("日本語", "é", "▸ ok", "a b  c"),
);
const anyLine = fc.array(anyText.map((t) => span(t)));

describe("text as cells", () => {
  it.each([
    ["node", 4],
    ["日本", 4],
    ["e\u0301", 1],
    ["█░▸…", 4],
    ["🚀", 2],
    ["\u001b[31mred\u001b[0m", 3],
  ])("measures %j as %i", (value, cells) => expect(width(clean(value))).toBe(cells));

  it("never leaves anything that could steer a terminal", () => {
    fc.assert(
      fc.property(anyText, (t) => {
        expect(clean(t)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });

  it("never exceeds the width asked for, and cuts only what does not fit", () => {
    fc.assert(
      fc.property(anyLine, fc.integer({ min: 0, max: 60 }), (line, columns) => {
        const cut = cutTo(line, columns);
        expect(lineWidth(cut)).toBeLessThanOrEqual(columns);
        if (lineWidth(line) <= columns) expect(textOf(cut)).toBe(textOf(line));
      }),
    );
  });

  it("wraps without losing anything but spaces", () => {
    fc.assert(
      fc.property(anyLine, fc.integer({ min: 8, max: 60 }), (line, columns) => {
        const lines = wrap(line, columns, 4);
        for (const l of lines) expect(lineWidth(l)).toBeLessThanOrEqual(columns);
        expect(lines.map(textOf).join("").replace(/\s/g, "")).toBe(textOf(line).replace(/\s/g, ""));
      }),
    );
  });
});

describe("numbers", () => {
  it.each([
    [0, "0s"],
    [102_000, "1m42s"],
    [120_000, "2m"],
    [3 * 3_600_000 + 5 * 60_000, "3h05m"],
    [-5, "0s"],
    [52 * 3_600_000, "2d4h"],
  ])("says %i ms as %s", (ms, said) => expect(duration(ms)).toBe(said));

  it("counts on a clock", () =>
    expect([clockface(192_000), clockface(3_792_000)]).toEqual(["03:12", "1:03:12"]));

  it("names a few and counts the rest", () => {
    expect(names(["a", "b", "c"], 2)).toBe("a, b, c");
    expect(names(["a", "b", "c", "d"], 2)).toBe("a, b and 2 more");
  });

  it("draws bars of exactly their width, full only when nothing is left", () => {
    const parts = fc.tuple(fc.nat(50), fc.nat(50), fc.nat(50), fc.nat(50));
    fc.assert(
      fc.property(parts, fc.integer({ min: 3, max: 40 }), ([done, failed, busy, rest], cells) => {
        const total = done + failed + busy + rest;
        const drawn = textOf(bar({ done, failed, busy, total }, cells));
        expect(drawn).toHaveLength(cells);
        if (failed > 0) expect(drawn).toContain("×");
        if (total > 0 && busy + rest === 0) expect(drawn).toMatch(/^[█×]+$/);
      }),
    );
  });

  it.each([
    [1, 95],
    [10, 26],
    [59, 5],
  ])("bounds the failure rate after %i clean canaries by %i %%", (n, percent) =>
    expect(upperBound(n)).toBe(percent),
  );
});

describe("the live view", () => {
  it("fits any screen at any moment of any run", () => {
    const journals = [success(), canaryFailed(), success(3), large(60), large(600)];
    fc.assert(
      fc.property(
        fc.constantFrom(...journals),
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        fc.integer({ min: 20, max: 200 }),
        fc.integer({ min: 4, max: 60 }),
        (journal, part, columns, rows) => {
          const events = journal.events.slice(0, Math.min(1500, Math.ceil(journal.events.length * part)));
          const view = foldAll(events);
          if (view === null) throw new Error("no plan");
          const lines = liveLines(view, { columns, rows, now: view.at, isLab: true });
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) expect(lineWidth(line)).toBeLessThanOrEqual(columns);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("counts a soak up to its length", () => {
    const journal = new Journal(buildPlan(12)).wave(1).update("node-01").update("node-02").soak(1, 300_000);
    expect(live(journal.wait(191_000))).toContain("wave 1/4 (canary)  soaking 03:12/05:00");
  });

  it("says what a soak or bake that was promoted still waits for, and that the rest takes no longer", () => {
    const journal = new Journal(buildPlan(12)).wave(1).update("node-01").update("node-02").soak(1, 300_000);
    const before = remaining(viewOf(journal), journal.now) ?? 0;
    const until = new Date(journal.now + 299_000).toISOString();
    journal.promote(until).prove("node-02", null).prove("node-01", "no peers");
    expect(live(journal)).toContain("(canary)  soaking until all were seen healthy again: 1/2");
    expect(before - (remaining(viewOf(journal), journal.now) ?? 0)).toBe(300_000 - 1000);
  });

  it("says when a host reverts itself, and that one out of contact does", () => {
    const journal = new Journal(buildPlan(3)).wave(1).activate("node-01").wait(77_000);
    expect(live(journal)).toMatch(/▸ node-01 gent {4}confirming .*reverts itself in 1m41s if not confirmed/);
    expect(live(journal, 60)).toContain("reverts in 1m41s");
    expect(live(journal.host("node-01", "unknown"))).toContain(
      "contact lost; reverts itself in 1m40s if not confirmed",
    );
    expect(live(journal.host("node-01", "confirming").host("node-01", "committing"))).not.toContain(
      "reverts",
    );
  });

  it("shows why a check keeps a host from being confirmed", () => {
    const journal = new Journal(buildPlan(3)).wave(1).activate("node-01").prove("node-01", "1 of 12 peers");
    expect(live(journal)).toContain("mesh: 1 of 12 peers");
    expect(live(journal.prove("node-01", null))).toContain("health 1/1");
  });

  it("shows every host of a small fleet and only running and failed ones of a larger", () => {
    const start = (n: number) => new Journal(buildPlan(n)).wave(1).activate("node-01");
    expect(live(start(5)).match(/node-0/g)).toHaveLength(5);
    expect(live(start(50)).match(/node-0/g)).toHaveLength(1);
  });

  it("groups equal failures of a large fleet and shows states for a very large one", () => {
    const journal = large(300);
    expect(live(journal)).toMatch(/! \d+ × health-failed {2}failed units: macula-mesh.service/);
    expect(live(large(600))).toMatch(/ reverted +\d+ █/);
  });

  it("repeats what a transient failure waits for", () => {
    const deadline = new Date(START + 60_000).toISOString();
    const failure = { code: "unreachable", message: "connect timed out", transient: true };
    const journal = new Journal(buildPlan(3)).wave(1).host("node-01", "preflight");
    journal.host("node-01", "preflight", { failure, deadline });
    expect(live(journal)).toMatch(/tries again in 5\ds: connect timed out/);
    expect(viewOf(journal).incidents.size).toBe(0);
  });

  it.each([
    ["drives", "^C: finish hosts in hand"],
    ["stopping", "stopping: hosts in hand finish or revert"],
    ["watches", "^C: stop watching"],
  ] as const)("says what ^C does when it %s", (control, said) => {
    const journal = new Journal(buildPlan(3)).wave(1).activate("node-01");
    const screen = { columns: 80, rows: 24, now: journal.now, isLab: false };
    expect(text(liveLines(viewOf(journal), { ...screen, control }))).toContain(said);
    expect(text(liveLines(viewOf(journal), screen))).not.toContain("^C");
  });

  it("asks what the engine asks", () => {
    const journal = new Journal(buildPlan(3)).wave(1);
    journal.add({
      type: "prompt",
      level: "warn",
      msg: "",
      data: { question: "Go on?", answers: ["yes", "no"] },
    });
    expect(live(journal)).toContain("Go on?  yes | no");
  });
});

describe("what is derived", () => {
  it("forgets a failure once the host is well", () => {
    const journal = new Journal(buildPlan(3)).wave(1).fail("node-01");
    expect([...viewOf(journal).incidents.keys()]).toEqual(["node-01"]);
    expect(viewOf(journal.update("node-01")).incidents.size).toBe(0);
  });

  it("estimates from what was measured, and not before", () => {
    const journal = new Journal(buildPlan(3)).wave(1).activate("node-01");
    expect(remaining(viewOf(journal), journal.now)).toBeNull();
    const measured = new Journal(buildPlan(3)).wave(1).update("node-01");
    // Two hosts of about 17 s one after the other, and two soaks of five minutes.
    const left = remaining(viewOf(measured), measured.now) ?? 0;
    expect(left).toBeGreaterThan(2 * 300_000 + 2 * 14_000);
    expect(left).toBeLessThan(2 * 300_000 + 2 * 20_000);
  });

  it("takes a stream that lacks its plan for a bug", () => {
    const [, second] = success(3).events;
    expect(() => second && fold(null, second)).toThrow(TypeError);
  });

  it("tells failures apart by what went wrong, not by where", () => {
    const at = (host: string, message: string) => ({ host, code: "x", message, hint: null, at: 0 });
    const same = [
      at("node-01", "node-01 at 10.0.0.1: unit a failed after 12s"),
      at("node-02", "node-02 at 10.0.0.2: unit a failed after 9s"),
    ];
    expect(new Set(same.map(fingerprint)).size).toBe(1);
    expect(groupFailures([...same, at("node-03", "unit b failed")])).toMatchObject([
      { hosts: ["node-01", "node-02"], message: `${same[0]?.message} (and alike)` },
      { hosts: ["node-03"], message: "unit b failed" },
    ]);
  });

  it("never ends without a command, in whatever state the run is", () => {
    for (const state of ["paused", "aborted", "succeeded", "rolled_back", "baking", "superseded"] as const) {
      expect(nextCommands(viewOf(new Journal(buildPlan(3)).run(state)))[0]).toMatch(/^macula-fleet /);
    }
    const waiting = viewOf(new Journal(buildPlan(3)).wave(1).run("paused", "gate"));
    expect(nextCommands(waiting)[0]).toBe("macula-fleet rollout promote r-7");
  });

  it("drops the summary of a pause when the run goes on", () => {
    const journal = canaryFailed();
    expect(viewOf(journal).summary).not.toBeNull();
    expect(viewOf(journal.run("running")).summary).toBeNull();
  });

  it("accounts for every host exactly once, wherever the run stands", () => {
    const { events, plan } = canaryFailed();
    for (let n = 1; n <= events.length; n++) {
      const view = foldAll(events.slice(0, n));
      const rows = view === null ? [] : summaryLines(view, { now: START }).map(textOf);
      const counted = rows.flatMap((l) => /^ [a-z ]+? +(\d+) {2}/.exec(l)?.[1] ?? []).map(Number);
      expect(counted.reduce((a, b) => a + b, 0)).toBe(plan.hosts.length);
    }
  });

  it("claims nothing about a canary that failed", () => {
    expect(text(summaryLines(viewOf(canaryFailed()), { now: START }))).not.toContain("clean");
    const { events } = success(100);
    const midway = events.findIndex((e) => e.type === "wave.start" && e.wave === 3);
    expect(text(summaryLines(foldAll(events.slice(0, midway)) as ViewState, { now: START }))).toContain(
      "canary: 10 clean: failure rate below 26 % (95 %)",
    );
    expect(text(summaryLines(viewOf(success(100)), { now: START }))).toContain(
      " 100 clean: failure rate below 3 % (95 %)",
    );
  });
});

describe("hosts whose owners do not consent", () => {
  const objecting = () => {
    const { events, plan } = success(5);
    const name = plan.hosts[1]?.name ?? "";
    const message = `${name}: not now: the shop is open (10-shop), until 2026-11-23 18:00 CET`;
    const ts = new Date(START).toISOString();
    const move = (seq: number, to: "staged" | "deferred", more: object) => ({
      ...{
        type: "host.state",
        level: "warn",
        msg: message,
        ts,
        seq,
        rollout: plan.id,
        host: name,
        attempt: 1,
      },
      data: { from: "activating", to, failure: { code: "host-not-now", message, transient: true }, ...more },
    });
    const head = events.slice(
      0,
      events.findIndex((e) => e.type === "host.state"),
    );
    const fold = (event: object) => foldAll([...head, event as (typeof events)[number]]) as ViewState;
    return {
      waiting: fold(move(head.length + 1, "staged", { deadline: new Date(START + 720_000).toISOString() })),
      left: fold(move(head.length + 1, "deferred", {})),
      name,
    };
  };

  it("are told with the answer, and when they are asked again", () => {
    const { waiting, left, name } = objecting();
    const screen = liveLines(waiting, { columns: 160, rows: 40, now: START, isLab: false })
      .map(textOf)
      .join("\n");
    expect(screen).toMatch(new RegExp(`${name}.*asks again in 12m.*the shop is open \\(10-shop\\), until`));
    const end = text(summaryLines(left, { now: START }));
    expect(end).toMatch(new RegExp(` not now +1 +${name}  their owners do not consent`));
    expect(end).toMatch(
      new RegExp(`why: ${name}  not now: the shop is open \\(10-shop\\), until 2026-11-23 18:00 CET`),
    );
  });
});

describe("the plan", () => {
  const plan = buildPlan(24, {
    excluded: [
      { host: "old-1", state: "deferred", reason: "offline since 2026-11-09" },
      { host: "old-2", state: "skipped", reason: "already on 26.05.4" },
    ],
    warnings: ["k3s goes from 1.35.2 to 1.35.3"],
  });

  it("shows waves, picks with reasons, resolved quantities, exclusions, warnings, bytes and hash", () => {
    expect(text(planLines(plan, { columns: 100 }))).toMatchSnapshot();
  });

  it("names the copies at a time where that is not the usual number", () => {
    const shown = (copying: number) =>
      text(planLines({ ...plan, limits: { ...plan.limits, copying } }, { columns: 100 }));
    expect(shown(3)).toContain("copy-parallel 3");
    expect(shown(8)).not.toContain("copy-parallel");
  });

  it("fits 5000 hosts of 100 sites onto two screens, and holds nothing back when asked for all", () => {
    const hosts = Array.from({ length: 5000 }, (_, i) =>
      aHost(`h-${i}`, i % 25 === 0 ? "gateway" : "peer", {
        site: `site-${Math.floor(i / 50)}`,
        ...(i % 50 === 49 ? { os: "k3os" as const } : {}),
      }),
    );
    const inventory = anInventory(hosts, {
      roles: { gateway: { minAvailablePerSite: { kind: "count", n: 1 } } },
    });
    const only = aPlan({ ...inventory, hosts: hosts.filter((h, i) => h.role === "peer" || i % 50 === 0) });
    const plan = { ...aPlan(inventory), warnings: only.warnings };
    const folded = planLines(plan, { columns: 100 });
    expect(folded.length).toBeLessThan(60);
    expect(text(folded)).toContain(
      "quorum  gateway in site-0, site-1, site-2, site-3 and 96 more: 1 of 2 must be up",
    );
    expect(text(folded)).toMatch(/is the only gateway of site-\d+: .*\n +and 97 more like it/);
    expect(text(folded)).toMatch(/skipped {2}h-49, h-99, .* and 94 more {2}runs k3os/);
    expect(text(folded)).toMatch(/88 more sites [\d.]+ MiB \(\d+ hosts\)/);
    const all = text(planLines(plan, { columns: 100, all: true }));
    for (const { name } of plan.hosts) expect(all).toContain(name);
    for (const warning of plan.warnings) expect(all).toContain(warning);
  });

  it("names every host with its reason when asked to", () => {
    const all = text(planLines(plan, { columns: 100, all: true }));
    for (const host of plan.hosts) expect(all).toMatch(new RegExp(`${host.name} .*${host.why}`));
  });

  it("says when the versions it starts from differ or are not known", () => {
    const [first, ...rest] = buildPlan(3).hosts;
    if (first === undefined) throw new Error("no hosts");
    const other = { ...first, from: `/nix/store/${"c".repeat(32)}-nixos-system-${first.name}-25.11` };
    expect(text(planLines(buildPlan(3, { hosts: [other, ...rest] }), { columns: 100 }))).toContain(
      "2 versions → 26.05.4",
    );
    const lost = text(
      planLines(buildPlan(3, { hosts: [{ ...first, from: null }, ...rest] }), { columns: 100 }),
    );
    expect(lost).toContain("not reached while planning");
    expect(MESH_DOWN.transient).toBe(false);
  });
});
