/** Drives a run in this process and shows it; or only shows one that another process drives. */
import type { App, Remote } from "../app.ts";
import { EXIT, type ExitCode, FleetError } from "../errors.ts";
import type { Inventory } from "../inventory/model.ts";
import { Channel } from "../kernel/channel.ts";
import { drive } from "../rollout/engine.ts";
import { type FleetEvent, TERMINAL_STATES } from "../rollout/events.ts";
import { replay } from "../rollout/state.ts";
import { exitOf } from "../rollout/summary.ts";
import type { Store } from "../store/store.ts";
import { RENDERERS } from "../ui/index.ts";
import { controllerOf } from "./controllers.ts";
import { VERSION } from "./version.ts";

export interface Shown {
  readonly inventory: Inventory;
  readonly planShown?: boolean;
  /** Last event somebody has seen already. */
  readonly since?: number;
}

/** `drain`: given when this process drives the run. */
export async function render(
  app: App,
  events: AsyncIterable<FleetEvent>,
  shown: Shown,
  drain?: AbortSignal,
): Promise<void> {
  const { stdout, stderr } = app.process;
  await RENDERERS[app.format](events, {
    out: stdout,
    err: stderr,
    color: app.color,
    columns: () => stdout.columns ?? 100,
    rows: () => stdout.rows ?? 24,
    now: () => app.clock.now(),
    isLab: shown.inventory.lab !== undefined,
    version: VERSION,
    flags: app.fleetFlags,
    ...(drain === undefined ? {} : { drain }),
    ...(shown.planShown === undefined ? {} : { planShown: shown.planShown }),
    ...(shown.since === undefined ? {} : { since: shown.since }),
  });
}

/** Takes the run's lease and drives it to its end, a pause or ^C; the view gets the whole journal, then what happens. */
export async function driveRun(
  app: App,
  runId: string,
  store: Store,
  remote: Remote,
  shown: Shown,
): Promise<ExitCode> {
  const history = await store.events(runId);
  const stream = new Channel<FleetEvent>();
  // More than the plan: somebody has seen it, and `rollout status` shows it.
  const since = history.length > 1 ? (history.at(-1)?.seq ?? 0) : 0;
  const view = render(app, stream, { ...shown, since }, app.process.signals.drain);
  for (const event of history) stream.push(event);
  let failure: unknown;
  try {
    const deps = { ...remote.performer, store, clock: app.clock, owner: app.operator };
    for await (const event of drive(runId, deps, app.process.signals)) stream.push(event);
  } catch (error) {
    failure = error;
  }
  stream.close();
  await view;
  const state = replay(await store.events(runId));
  if (failure !== undefined) throw failure;
  if (!state) return EXIT.error;
  return exitOf(state, app.process.signals.drain.aborted) as ExitCode;
}

const TAIL_MS = 300;

/** Follows the journal of a run that somebody else drives, until it ends, pauses or we are told to stop. */
export async function* tail(
  app: App,
  runId: string,
  store: Store,
  sinceSeq = 0,
): AsyncGenerator<FleetEvent, void, undefined> {
  let seq = sinceSeq;
  while (!app.signal.aborted) {
    const events = await store.events(runId, seq);
    for (const event of events) {
      seq = event.seq;
      yield event;
    }
    const record = await store.run(runId);
    const driven = await controllerOf(app, store, runId);
    if (events.length === 0 && (record === null || TERMINAL_STATES.has(record.state) || !driven)) return;
    await app.clock.sleep(TAIL_MS, app.signal).catch(() => undefined);
  }
}

/** The run named, or the latest; `rollout-not-found` says what there is. */
export async function findRun(store: Store, id: string | undefined) {
  if (id !== undefined) {
    const run = await store.run(id);
    if (run) return run;
    const known = (await store.runs({ limit: 3 })).map((r) => r.id);
    throw new FleetError("rollout-not-found", `there is no run ${id}`, {
      hint:
        known.length > 0
          ? `the latest are ${known.join(", ")}; all: macula-fleet rollout history`
          : "nothing was rolled out yet",
    });
  }
  const [latest] = await store.runs({ limit: 1 });
  if (!latest)
    throw new FleetError("rollout-not-found", "no run of this fleet is remembered", {
      hint: "macula-fleet rollout, or name the right --state and -i",
    });
  return latest;
}
