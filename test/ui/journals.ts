/** Recorded runs for views: built by hand from the public event types, second by second, without an engine. */
import type { Plan, PlannedHost, PlannedWave } from "../../src/plan/model.ts";
import type { Policy } from "../../src/plan/policy.ts";
import type { EventBody, EventOf, FleetEvent, HostState } from "../../src/rollout/events.ts";

export const START = Date.parse("2026-11-23T14:00:00.000Z");
const MINUTE = 60_000;
const SITES = ["gent", "brugge", "riga", "berlin", "ams"];

const POLICY: Policy = {
  order: ["peer", "gateway", "bootstrap"],
  canary: { count: { kind: "percent", pct: 10 }, max: 10, spread: ["role", "site"], select: [], prefer: [] },
  maxParallel: { kind: "percent", pct: 10 },
  maxUnavailable: { fleet: { kind: "percent", pct: 10 }, clusters: {} },
  maxFailures: { canary: { kind: "count", n: 0 }, wave: { kind: "percent", pct: 5 } },
  perSite: { activating: 1, copying: 2 },
  copyParallel: 8,
  roles: {},
  onFailure: "pause",
  promote: "auto",
  confirmTimeoutMs: 3 * MINUTE,
  minHealthyTimeMs: MINUTE,
  healthyDeadlineMs: 10 * MINUTE,
  progressDeadlineMs: 30 * MINUTE,
  soak: { canaryMs: 5 * MINUTE, waveMs: [5 * MINUTE] },
  finalBakeMs: 0,
  offline: { policy: "defer", catchUpMs: 0, unreachableDeadlineMs: 10 * MINUTE },
  windows: [],
  reboot: "if-needed",
};

export function hostNames(n: number): string[] {
  return Array.from(
    { length: n },
    (_, i) => `node-${String(i + 1).padStart(Math.max(2, String(n).length), "0")}`,
  );
}

/** `hosts` in four waves (or what fits): the last two of more than five are gateway and bootstrap. */
export function buildPlan(n: number, o: Partial<Plan> = {}): Plan {
  const names = hostNames(n);
  const canary = Math.max(1, Math.min(10, Math.ceil(n / 10)));
  const cuts = [...new Set([canary, Math.ceil(n / 4), Math.ceil(n / 2), n])].filter((c) => c >= canary);
  const waves = cuts.map((end, i): PlannedWave => {
    const from = i === 0 ? 0 : (cuts[i - 1] ?? 0);
    return {
      index: i + 1,
      kind: i === 0 ? "canary" : "wave",
      label: i === 0 ? "canary" : `${Math.round((end / n) * 100)} %`,
      hosts: names.slice(from, end),
      maxFailures: i === 0 ? 0 : Math.floor(n / 20),
      soakMs: i === cuts.length - 1 ? 0 : 5 * MINUTE,
    };
  });
  return {
    schema: 1,
    id: "r-7",
    kind: "rollout",
    fleet: "macula",
    revision: "26.05.4",
    createdAt: START,
    hosts: names.map((name, i) => plannedHost(name, i, n)),
    waves,
    excluded: [],
    limits: {
      maxParallel: Math.max(1, Math.floor(n / 10)),
      maxUnavailable: Math.max(1, Math.floor(n / 10)),
      maxUnavailablePerSite: {},
      maxUnavailablePerCluster: {},
      maxUnavailablePerRole: {},
      maxParallelPerRole: { bootstrap: 1 },
      maxFailuresPerSite: null,
      activatingPerSite: 1,
      copyingPerSite: 2,
      copyingBySite: {},
      copying: 8,
    },
    guards: [{ role: "bootstrap", site: null, members: names.slice(-1), required: 0 }],
    policy: POLICY,
    resolutions: [{ name: "canary", asked: "10 %", base: n, value: canary }],
    warnings: [],
    force: false,
    hash: "3f2a9c51d0",
    ...o,
  };
}

function plannedHost(name: string, i: number, n: number): PlannedHost {
  const role = n > 5 && i === n - 1 ? "bootstrap" : n > 5 && i === n - 2 ? "gateway" : "peer";
  return {
    name,
    role,
    roles: [role],
    site: SITES[i % SITES.length] ?? null,
    arch: i % 3 === 0 ? "aarch64-linux" : "x86_64-linux",
    cluster: null,
    via: null,
    from: `/nix/store/${"a".repeat(32)}-nixos-system-${name}-26.05.3`,
    to: `/nix/store/${"b".repeat(32)}-nixos-system-${name}-26.05.4`,
    closureBytes: 41 * 1024 * 1024,
    windows: [],
    why: i === 0 ? "canary: first peer of gent" : "by name",
  };
}

type Body = EventBody;

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly transient: boolean;
}

export const MESH_DOWN: Failure = {
  code: "health-failed",
  message: "failed units: macula-mesh.service",
  hint: "look at the log of the unit on the host",
  transient: false,
};

/** Writes a journal: every event a second after the one before, unless time is told to pass. */
export class Journal {
  readonly events: FleetEvent[] = [];
  readonly plan: Plan;
  #now = START;
  readonly #state = new Map<string, HostState>();

  constructor(plan: Plan) {
    this.plan = plan;
    this.add({ type: "plan", level: "info", msg: "planned", data: { plan } });
    this.run("running", null);
  }

  get now(): number {
    return this.#now;
  }

  add(body: Body): this {
    const place = {
      ts: new Date(this.#now).toISOString(),
      seq: this.events.length + 1,
      rollout: this.plan.id,
    };
    this.events.push({ ...place, ...body } as FleetEvent);
    this.#now += 1000;
    return this;
  }

  wait(ms: number): this {
    this.#now += ms;
    return this;
  }

  run(
    to: EventOf<"rollout.state">["data"]["to"],
    reason: "failures" | "operator" | "gate" | null = null,
  ): this {
    const from = this.events.length > 1 ? "running" : "planned";
    const data = reason === null ? { from, to } : { from, to, reason };
    return this.add({ type: "rollout.state", level: "info", msg: to, data } as Body);
  }

  wave(index: number): this {
    const hosts = [...(this.plan.waves[index - 1]?.hosts ?? [])];
    return this.add({ type: "wave.start", wave: index, level: "info", msg: "wave", data: { hosts } });
  }

  soak(index: number, ms: number): this {
    const until = new Date(this.#now + ms).toISOString();
    return this.add({ type: "wave.soak", wave: index, level: "info", msg: "soak", data: { until } });
  }

  /** `until`: when the soak or bake that it cuts short was to end. */
  promote(until: string, more: { readonly full?: boolean; readonly toWave?: number } = {}): this {
    const data = { command: "promote" as const, by: "ann", cutShort: until, ...more };
    return this.add({ type: "rollout.command", level: "info", msg: "promoted", data });
  }

  endWave(index: number, counts: { ok: number; failed: number; deferred: number }): this {
    return this.add({ type: "wave.end", wave: index, level: "info", msg: "end", data: counts });
  }

  host(name: string, to: HostState, data: Partial<EventOf<"host.state">["data"]> = {}): this {
    const planned = this.plan.hosts.find((h) => h.name === name);
    const from = this.#state.get(name) ?? "pending";
    this.#state.set(name, to);
    return this.add({
      type: "host.state",
      host: name,
      ...(planned ? { role: planned.role } : {}),
      ...(planned?.site ? { site: planned.site } : {}),
      attempt: 1,
      level: data.failure ? "error" : "info",
      msg: `${name} is ${to}`,
      data: { from, to, ...data },
    });
  }

  /** Up to `confirming`, with its own revert three minutes ahead. */
  activate(name: string): this {
    this.host(name, "preflight")
      .host(name, "staging")
      .host(name, "staged", { bytes: 1024 * 1024 });
    const deadline = new Date(this.#now + 3 * MINUTE).toISOString();
    return this.host(name, "activating", { deadline, fence: 1 }).host(name, "confirming");
  }

  update(name: string): this {
    return this.activate(name).wait(10_000).host(name, "committing").host(name, "updated");
  }

  fail(name: string, failure: Failure = MESH_DOWN): this {
    return this.activate(name).host(name, "reverting", { failure }).host(name, "reverted", { failure });
  }

  prove(name: string, problem: string | null): this {
    const status = problem === null ? "ok" : "failed";
    return this.add({
      type: "host.check",
      host: name,
      level: "info",
      msg: "checked",
      data: {
        healthy: problem === null,
        results: [{ name: "mesh", type: "mesh", status, message: problem ?? "12 peers" }],
      },
    });
  }

  summary(
    state: EventOf<"summary">["data"]["state"],
    exit: number,
    next: readonly string[],
    counts: Partial<EventOf<"summary">["data"]> = {},
  ): this {
    const zero = { ok: 0, failed: 0, deferred: 0, skipped: 0, pending: 0 };
    return this.add({
      type: "summary",
      level: "info",
      msg: "end",
      data: { state, exit, next: [...next], ...zero, ...counts },
    });
  }
}

/** Everything went well. */
export function success(n = 12): Journal {
  const journal = new Journal(buildPlan(n));
  updateWaves(journal);
  return journal.run("succeeded").summary("succeeded", 0, ["macula-fleet status"], { ok: n });
}

function updateWaves(journal: Journal): void {
  for (const wave of journal.plan.waves) {
    journal.wave(wave.index);
    for (const host of wave.hosts) journal.update(host);
    if (wave.soakMs > 0) journal.soak(wave.index, wave.soakMs).wait(wave.soakMs);
    journal.endWave(wave.index, { ok: wave.hosts.length, failed: 0, deferred: 0 });
  }
}

/** The canary reverts itself and the run pauses. */
export function canaryFailed(n = 12): Journal {
  const journal = new Journal(buildPlan(n)).wave(1);
  journal.fail("node-01");
  journal.update("node-02");
  return journal
    .run("paused", "failures")
    .summary(
      "paused",
      3,
      ["macula-fleet rollout status r-7 --host node-01", "macula-fleet rollout undo r-7"],
      {
        ok: 1,
        failed: 1,
        pending: n - 2,
      },
    );
}

/** An undo run in which one host cannot go back. */
export function undo(n = 5): Journal {
  const plan = buildPlan(n, { id: "r-8", kind: "undo", reverts: "r-7", revision: "26.05.3" });
  const journal = new Journal(plan);
  for (const wave of plan.waves) {
    journal.wave(wave.index);
    for (const host of wave.hosts) {
      if (host === "node-03") journal.fail(host, { ...MESH_DOWN, message: "profile is busy" });
      else journal.update(host);
    }
  }
  return journal.run("rollback_failed").summary("rollback_failed", 3, [], { ok: n - 1, failed: 1 });
}

/** ^C: the host in hand finishes, one reverted before, the stream ends without a summary. */
export function drained(n = 12): Journal {
  const journal = new Journal(buildPlan(n)).wave(1);
  journal.update("node-01").activate("node-02");
  journal.add({
    type: "rollout.command",
    level: "warn",
    msg: "abort",
    data: { command: "abort", by: "ada" },
  });
  journal.run("aborting").host("node-02", "reverting", { failure: MESH_DOWN });
  return journal.host("node-02", "reverted", { failure: MESH_DOWN }).run("aborted");
}

/** 500 hosts; every fortieth fails for one reason, every hundredth for another. */
export function large(n = 500): Journal {
  const journal = new Journal(buildPlan(n));
  for (const wave of journal.plan.waves) {
    journal.wave(wave.index);
    wave.hosts.forEach((host, i) => {
      if (i % 100 === 99)
        journal.fail(host, { ...MESH_DOWN, code: "activation-failed", message: `${host} exit 4` });
      else if (i % 40 === 39) journal.fail(host);
      else journal.update(host);
    });
  }
  return journal.run("paused", "failures");
}

/** An install of three machines; the disk of one is not there. */
export function install(): Journal {
  const journal = new Journal(buildPlan(3, { id: "i-1" })).wave(1);
  for (const state of [
    "preflight",
    "kexec",
    "partitioning",
    "installing",
    "restarting",
    "verifying",
  ] as const) {
    journal.host("node-01", state).host("node-02", state);
  }
  journal.host("node-01", "updated").host("node-02", "updated");
  const failure = { code: "install-failed", message: "no disk /dev/nvme0n1", transient: false };
  return journal.host("node-03", "preflight").host("node-03", "failed", { failure }).run("failed");
}

export async function* stream(events: Iterable<FleetEvent>): AsyncGenerator<FleetEvent> {
  yield* events;
}
