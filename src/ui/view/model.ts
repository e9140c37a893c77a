/** What a view knows of a run: its derived state plus what only people care about. A fold over events. Pure. */
import type { EventOf, FleetEvent, HostState } from "../../rollout/events.ts";
import { evolve, type HostProgress, type RolloutState } from "../../rollout/state.ts";
import { kindOf } from "./classes.ts";
import { type Incident, incidentsAfter, incidentsWithEvidence } from "./incidents.ts";
import { checkText, type Work, workAfter } from "./work.ts";

export interface StepTime {
  readonly n: number;
  readonly totalMs: number;
}

export interface ViewState {
  readonly run: RolloutState;
  /** When the newest event happened, ms since the epoch. */
  readonly at: number;
  readonly budget: EventOf<"budget">["data"] | null;
  readonly work: ReadonlyMap<string, Work>;
  readonly incidents: ReadonlyMap<string, Incident>;
  /** Time spent in each state, over all hosts that left it. */
  readonly steps: ReadonlyMap<HostState, StepTime>;
  /** Hosts that went all the way: the base of the averages. */
  readonly finished: number;
  /** Time in which hosts were worked on, soaking and pauses left out. */
  readonly workedMs: number;
  readonly question: EventOf<"prompt">["data"] | null;
  readonly gate: EventOf<"wave.gate">["data"] | null;
  readonly summary: EventOf<"summary">["data"] | null;
}

const KNOWN: ReadonlySet<string> = new Set<FleetEvent["type"]>([
  "plan",
  "rollout.state",
  "rollout.command",
  "wave.start",
  "wave.soak",
  "wave.gate",
  "wave.end",
  "host.state",
  "host.check",
  "host.log",
  "budget",
  "prompt",
  "diagnostic",
  "summary",
]);

/** Events of a newer minor version are skipped. Throws `TypeError` when a stream does not start with its plan. */
export function fold(view: ViewState | null, event: FleetEvent): ViewState | null {
  if (!KNOWN.has(event.type)) return view;
  const before = view?.run.hosts.get(event.host ?? "");
  const run = evolve(view?.run ?? null, event);
  const at = Date.parse(event.ts);
  if (event.type === "plan" || view === null) return fresh(run, at);
  const working = view.run.status === "running" && view.run.wavePhase === "updating" && view.work.size > 0;
  const workedMs = view.workedMs + (working ? Math.max(0, at - view.at) : 0);
  const next: ViewState = { ...view, run, at, workedMs };
  switch (event.type) {
    case "host.state":
      return withHostState(next, event, before, at);
    case "host.check":
      return doing(next, event.host, checkText(event.data));
    case "host.log":
      return {
        ...next,
        incidents: incidentsWithEvidence(next.incidents, event.host ?? "", event.data.lines),
      };
    case "budget":
      return { ...next, budget: event.data };
    case "prompt":
      return { ...next, question: event.data };
    case "wave.gate":
      return { ...next, gate: event.data };
    case "wave.start":
    case "rollout.command":
      return { ...next, gate: null, question: null };
    case "summary":
      return { ...next, summary: event.data };
    case "rollout.state":
      // A summary belongs to the end it was written for: a resumed run is not over.
      return event.data.to === "running" ? { ...next, summary: null, question: null } : next;
    default:
      return next;
  }
}

export function foldAll(events: Iterable<FleetEvent>): ViewState | null {
  let view: ViewState | null = null;
  for (const event of events) view = fold(view, event);
  return view;
}

function fresh(run: RolloutState, at: number): ViewState {
  return {
    run,
    at,
    budget: null,
    work: new Map(),
    incidents: new Map(),
    steps: new Map(),
    finished: 0,
    workedMs: 0,
    question: null,
    gate: null,
    summary: null,
  };
}

function withHostState(
  view: ViewState,
  event: EventOf<"host.state">,
  before: HostProgress | undefined,
  at: number,
): ViewState {
  const name = event.host;
  if (name === undefined || before === undefined) return view;
  const { to } = event.data;
  const moved = to !== before.state;
  return {
    ...view,
    work: workAfter(view.work, name, event.data, kindOf(view.run.plan) === "install" ? event.msg : null),
    incidents: incidentsAfter(view.incidents, name, event, at),
    steps: moved && before.state !== "pending" ? addStep(view.steps, before, at) : view.steps,
    finished: view.finished + (moved && to === "updated" ? 1 : 0),
  };
}

function addStep(steps: ViewState["steps"], before: HostProgress, at: number): ViewState["steps"] {
  const old = steps.get(before.state) ?? { n: 0, totalMs: 0 };
  const spent = Math.max(0, at - before.since);
  return new Map(steps).set(before.state, { n: old.n + 1, totalMs: old.totalMs + spent });
}

function doing(view: ViewState, host: string | undefined, text: string): ViewState {
  const work = host === undefined ? undefined : view.work.get(host);
  if (host === undefined || work === undefined) return view;
  return { ...view, work: new Map(view.work).set(host, { ...work, doing: text }) };
}
