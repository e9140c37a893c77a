/** The end of every run: what changed, what did not and why, the exact next command. Pure. */

import { type HostProgress, NOT_NOW } from "../../rollout/host-progress.ts";
import { classOf, isAtRisk, kindOf, type RunKind, stateLabel } from "./classes.ts";
import { canaryStatistics } from "./confidence.ts";
import { type FailureGroup, groupFailures } from "./failures.ts";
import { bytes, duration, names, versions } from "./format.ts";
import { pauseText } from "./header.ts";
import { accent, bad, dim, good, type Line, line, type Span, span, strong, type Tone, warn } from "./line.ts";
import type { ViewState } from "./model.ts";
import { nextCommands, purposeOf } from "./next.ts";
import { pad } from "./width.ts";

export interface SummaryOptions {
  readonly now: number;
  /** Such as `-i other.yaml`: makes the suggested commands work as they stand. */
  readonly flags?: string | undefined;
  /** What a command is for is said only where there is room. */
  readonly columns?: number;
}

/** Unwrapped: the caller decides what to do with long lines. The last line is always a command to type. */
export function summaryLines(view: ViewState, o: SummaryOptions): Line[] {
  return [headline(view, o.now), ...changes(view), ...reasons(view), ...statistics(view), ...next(view, o)];
}

function headline(view: ViewState, now: number): Line {
  const { run } = view;
  const took = duration((run.endedAt ?? Math.max(view.at, Math.min(now, view.at))) - run.startedAt);
  return line(
    strong(run.plan.id),
    ` ${run.plan.fleet} ${versions(run.plan)}: `,
    outcome(view),
    dim(`  after ${took}`),
  );
}

function outcome(view: ViewState): Span {
  const { run } = view;
  const kind = kindOf(run.plan);
  const done = stateLabel("updated", kind);
  switch (run.status) {
    case "succeeded":
      return good(`done, every host ${done} or left alone on purpose`);
    case "succeeded_with_stragglers":
      return warn("done except for hosts left for later");
    case "paused":
      return warn(`paused: ${pauseText(run.reason)}${run.detail ? ` (${run.detail})` : ""}`);
    case "rolled_back":
      return warn("rolled back");
    case "rollback_failed":
      return bad("the rollback itself failed on some hosts");
    case "failed":
      return bad(`failed${run.detail ? `: ${run.detail}` : ""}`);
    case "aborted":
      return bad("aborted; nothing new was started, hosts in hand finished or reverted");
    case "superseded":
      return dim("a newer run took over");
    default:
      return warn(`left ${run.status.replaceAll("_", " ")}; ${inFlight(view)}`);
  }
}

function inFlight(view: ViewState): string {
  const some = [...view.run.hosts.values()].some((h) => isAtRisk(h.state));
  return some ? "hosts in hand confirm or revert by themselves" : "no host is in between";
}

interface Bucket {
  readonly label: string;
  readonly tone: Tone;
  readonly hosts: readonly string[];
  readonly note: string;
}

function changes(view: ViewState): Line[] {
  const label = Math.max(...buckets(view).map((b) => b.label.length), 0);
  return buckets(view).map((b) =>
    line(
      span(` ${pad(b.label, label)} ${pad(String(b.hosts.length), 5, "left")}  `, b.tone),
      names(b.hosts, 8),
      b.note && dim(`  ${b.note}`),
    ),
  );
}

function buckets(view: ViewState): Bucket[] {
  const kind = kindOf(view.run.plan);
  const hosts = [...view.run.hosts.values()];
  const pick = (test: (h: (typeof hosts)[number]) => boolean) => hosts.filter(test).map((h) => h.name);
  const copied = hosts.reduce((sum, h) => sum + h.bytes, 0);
  const all: Bucket[] = [
    {
      label: stateLabel("updated", kind),
      tone: "ok",
      hosts: pick((h) => h.state === "updated"),
      note: copied > 0 ? `${bytes(copied)} copied` : "",
    },
    {
      label: "reverted",
      tone: "bad",
      hosts: pick((h) => h.state === "reverted"),
      note: "back on the system they ran before",
    },
    { label: "failed", tone: "bad", hosts: pick((h) => h.state === "failed"), note: failedNote(kind) },
    {
      label: "in hand",
      tone: "warn",
      hosts: pick((h) => isAtRisk(h.state)),
      note: "not confirmed: each confirms or reverts itself",
    },
    {
      label: "begun",
      tone: "warn",
      hosts: pick((h) => classOf(h.state) === "busy" && !isAtRisk(h.state)),
      note: kind === "install" ? "the installation did not end" : "nothing changed on them yet",
    },
    {
      label: "deferred",
      tone: "warn",
      hosts: pick((h) => h.state === "deferred" && !isNotNow(h)),
      note: "away; they catch up when they are back",
    },
    {
      label: "not now",
      tone: "warn",
      hosts: pick((h) => h.state === "deferred" && isNotNow(h)),
      note: "their owners do not consent; they catch up later",
    },
    {
      label: "drifted",
      tone: "bad",
      hosts: pick((h) => h.state === "drifted"),
      note: "run neither the old nor the new system; left alone",
    },
    { label: "skipped", tone: "dim", hosts: pick((h) => h.state === "skipped"), note: "" },
    {
      label: "staged",
      tone: "dim",
      hosts: pick((h) => h.state === "staged"),
      note: "the new system was copied, nothing changed",
    },
    { label: "not touched", tone: "dim", hosts: pick((h) => h.state === "pending"), note: "" },
  ];
  const filled = all.filter((b) => b.hosts.length > 0);
  return filled.some((b) => b.label === all[0]?.label) ? filled : [...all.slice(0, 1), ...filled];
}

/** Whoever was not consented to, and what their owners said last. */
function objections(view: ViewState): readonly FailureGroup[] {
  const open = [...view.run.hosts.values()].filter((h) => h.state === "deferred" || h.state === "staged");
  return groupFailures(
    open.filter(isNotNow).flatMap(({ name: host, failure, touchedAt: at }) => {
      const message = failure?.message.replace(`${host}: `, "") ?? "";
      return failure ? [{ host, code: failure.code, message, hint: failure.hint ?? null, at }] : [];
    }),
  );
}

const isNotNow = (h: HostProgress): boolean => h.failure?.code === NOT_NOW;

function failedNote(kind: RunKind): string {
  return kind === "install" ? "" : "needs a human";
}

function reasons(view: ViewState): Line[] {
  const groups = groupFailures(view.incidents.values());
  return [...groups, ...objections(view)].flatMap((g) => [
    line(bad(" why: "), strong(names(g.hosts, 5)), `  ${g.message}`, dim(`  [${g.code}]`)),
    ...(g.hint === null ? [] : [line("      ", dim(`fix: ${g.hint}`))]),
  ]);
}

function statistics(view: ViewState): Line[] {
  const clean = canaryStatistics(view);
  return clean === null ? [] : [line(dim(` ${clean}`))];
}

function next(view: ViewState, { flags = "", columns = Infinity }: SummaryOptions): Line[] {
  const commands = nextCommands(view).map((command) => ({
    typed: flags === "" ? command : `${command} ${flags}`,
    purpose: purposeOf(command),
  }));
  const longest = Math.max(...commands.map((c) => c.typed.length));
  const widest = 7 + longest + 5 + Math.max(...commands.map((c) => c.purpose.length));
  return commands.map((c, i) =>
    line(
      i === 0 ? " next: " : "       ",
      accent(c.typed),
      c.purpose && widest <= columns && dim(`${" ".repeat(longest - c.typed.length)}   # ${c.purpose}`),
    ),
  );
}
