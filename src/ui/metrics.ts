import { Gauge, Registry } from "prom-client";
import { RunState } from "../rollout/events.ts";
import { kindOf } from "./view/classes.ts";
import type { ViewState } from "./view/model.ts";

/** Prometheus text of these runs: a fold, so nothing is counted that the journal does not hold. */
export async function metricsText(views: Iterable<ViewState>): Promise<string> {
  const registry = new Registry();
  const gauges = createGauges(registry);
  for (const view of views) observe(gauges, view);
  return registry.metrics();
}

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

function createGauges(registry: Registry) {
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge<L | "run">({
      name: `macula_fleet_${name}`,
      help,
      labelNames: ["run", ...labelNames],
      registers: [registry],
    });
  return {
    info: gauge("run_info", "What the run is; always 1.", ["kind", "fleet", "revision"]),
    state: gauge("run_state", "1 for the state the run is in.", ["state"]),
    hosts: gauge("run_hosts", "Hosts of the run by state.", ["state"]),
    failures: gauge("run_failures", "Hosts that failed or reverted, by error code.", ["code"]),
    wave: gauge("run_wave", "Current wave, from 1.", []),
    waves: gauge("run_waves", "Waves of the plan.", []),
    bytes: gauge("run_copied_bytes", "Bytes copied to hosts.", []),
    steps: gauge("run_step_seconds_total", "Time hosts spent in a state they have left.", ["state"]),
    started: gauge("run_started_timestamp_seconds", "When the run was planned.", []),
    last: gauge("run_last_event_timestamp_seconds", "When the newest event happened.", []),
  };
}

function observe(gauges: ReturnType<typeof createGauges>, view: ViewState): void {
  const { plan } = view.run;
  const run = plan.id;
  gauges.info.set({ run, kind: kindOf(plan), fleet: plan.fleet, revision: plan.revision }, 1);
  for (const state of RunState.options) gauges.state.set({ run, state }, view.run.status === state ? 1 : 0);
  for (const host of view.run.hosts.values()) gauges.hosts.inc({ run, state: host.state });
  for (const incident of view.incidents.values()) gauges.failures.inc({ run, code: incident.code });
  for (const [state, step] of view.steps) gauges.steps.set({ run, state }, step.totalMs / 1000);
  gauges.wave.set({ run }, view.run.wave);
  gauges.waves.set({ run }, plan.waves.length);
  gauges.bytes.set(
    { run },
    [...view.run.hosts.values()].reduce((sum, h) => sum + h.bytes, 0),
  );
  gauges.started.set({ run }, view.run.startedAt / 1000);
  gauges.last.set({ run }, view.at / 1000);
}
