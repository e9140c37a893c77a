/** What goes wrong during a simulated rollout, when, and for how long. Everything passes: in the end there is calm. */
import type { FaultKind } from "../lab/machine/fault.ts";
import { withDisk, withMemory } from "../lab/machine/model.ts";
import { cutPower, restart } from "../lab/machine/power.ts";
import { LAB_UNIT } from "../lab/machine/system.ts";
import type { Controller } from "./controller.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** The parts of a simulation that can be hurt. */
export interface Targets {
  readonly world: World;
  readonly sites: readonly string[];
  readonly clocksLie: boolean;
  /** Faults begin within this time, ms. */
  readonly troubleMs: number;
  readonly controllers: () => readonly Controller[];
  readonly die: (c: Controller) => void;
  /** Another controller tries to drive the same run. */
  readonly rival: () => void;
  readonly storeAway: (ms: number) => void;
  readonly note: (text: string) => void;
}

type Misfortune = (t: Targets, random: Random) => void;

const lasting =
  (t: Targets, ms: number) =>
  (begin: () => void, end: () => void): void => {
    begin();
    t.world.scheduler.after(ms, end);
  };

const machineFault =
  (kind: FaultKind, unfit: boolean): Misfortune =>
  (t, random) => {
    const host = random.pick(t.world.hosts);
    const ms = random.int(5, 180) * 1000;
    t.note(`${host}: ${kind} for ${ms / 1000} s`);
    lasting(t, ms)(
      () => {
        t.world.change(host, (m) => ({ ...m, faults: [...m.faults, kind] }));
        if (unfit) t.world.markUnfit(host);
      },
      () => {
        t.world.change(host, (m) => ({
          ...m,
          faults: m.faults.filter((_, i, all) => all.indexOf(kind) !== i),
        }));
        if (unfit) t.world.unmarkUnfit(host);
      },
    );
  };

/** Mostly somebody plugs it in again soon; now and then long after everybody gave it up. */
const power: Misfortune = (t, random) => {
  const host = random.pick(t.world.hosts);
  const ms = random.int(1, random.chance(0.2) ? 1200 : 120) * 1000;
  t.note(`${host}: power off for ${ms / 1000} s`);
  t.world.change(host, (m) => cutPower(m));
  t.world.markUnfit(host);
  t.world.scheduler.after(ms, () => {
    t.world.powerOn(host);
    t.world.scheduler.after(40_000, () => t.world.unmarkUnfit(host));
  });
};

const reboot: Misfortune = (t, random) => {
  const host = random.pick(t.world.hosts);
  t.note(`${host}: reboots`);
  t.world.change(host, (m, now) => (m.memory ? restart(m, now) : m));
  t.world.markUnfit(host);
  t.world.scheduler.after(40_000, () => t.world.unmarkUnfit(host));
};

const siteDown: Misfortune = (t, random) => {
  const site = random.pick(t.sites);
  const ms = random.int(5, 300) * 1000;
  t.note(`${site}: uplink down for ${ms / 1000} s`);
  lasting(t, ms)(
    () => t.world.cutSite(site),
    () => t.world.restoreSite(site),
  );
};

const cutOff: Misfortune = (t, random) => {
  const [c] = t.controllers();
  if (!c) return;
  const ms = random.int(5, 300) * 1000;
  t.note(`${c.name}: cut off for ${ms / 1000} s`);
  c.online = false;
  t.world.scheduler.after(ms, () => {
    c.online = true;
  });
};

const freeze: Misfortune = (t, random) => {
  const [c] = t.controllers();
  if (!c || !t.clocksLie) return;
  const ms = random.int(2, 90) * 1000;
  t.note(`${c.name}: frozen for ${ms / 1000} s`);
  c.frozenUntil = t.world.scheduler.now + ms;
};

const clockStep: Misfortune = (t, random) => {
  const [c] = t.controllers();
  if (!c || !t.clocksLie) return;
  const ms = random.int(-300, 300) * 1000;
  t.note(`${c.name}: clock set by ${ms / 1000} s`);
  c.offset += ms;
};

const appFails: Misfortune = (t, random) => {
  const host = random.pick(t.world.hosts);
  const ms = random.int(5, 120) * 1000;
  t.note(`${host}: its service fails for ${ms / 1000} s`);
  lasting(t, ms)(
    () => {
      t.world.change(host, (m) =>
        withMemory(m, { failedUnits: [...new Set([...(m.memory?.failedUnits ?? []), LAB_UNIT])] }),
      );
      t.world.markUnfit(host);
    },
    () => {
      const bad = (m: ReturnType<World["machine"]>) =>
        m.disk.store[m.memory?.current ?? ""]?.system?.behaviour === "bad-health";
      t.world.change(host, (m) => (bad(m) ? m : withMemory(m, { failedUnits: [] })));
      t.world.unmarkUnfit(host);
    },
  );
};

const collected: Misfortune = (t, random) => {
  const host = random.pick(t.world.hosts);
  const to = t.world.systems.get(host)?.to.path ?? "";
  t.world.change(host, (m) => {
    const inUse = m.memory?.current === to || m.disk.bootDefault === to || m.disk.bootOnce === to;
    if (inUse || (m.memory?.jobs.length ?? 0) > 0 || m.power.kind !== "on") return m;
    t.note(`${host}: garbage collection takes the new system`);
    const { [to]: _gone, ...store } = m.disk.store;
    return withDisk(m, { store });
  });
};

const held: Misfortune = (t, random) => {
  const host = random.pick(t.world.hosts);
  const ms = random.int(5, 120) * 1000;
  t.note(`${host}: held for ${ms / 1000} s`);
  lasting(t, ms)(
    () => t.world.change(host, (m) => withDisk(m, { hold: { by: "someone", reason: "busy", time: 0 } })),
    () => t.world.change(host, (m) => withDisk(m, { hold: null })),
  );
};

const kill: Misfortune = (t) => {
  const [c] = t.controllers();
  if (c) t.die(c);
};

/** First ^C: start nothing new. */
const drain: Misfortune = (t) => {
  const [c] = t.controllers();
  if (!c) return;
  t.note(`${c.name}: ^C`);
  c.drain.abort();
};

/** Second ^C: leave now. */
const leave: Misfortune = (t) => {
  const [c] = t.controllers();
  if (!c) return;
  t.note(`${c.name}: ^C ^C`);
  c.drain.abort();
  c.leave.abort();
};

const KINDS: readonly Misfortune[] = [
  power,
  power,
  reboot,
  siteDown,
  cutOff,
  kill,
  kill,
  freeze,
  clockStep,
  appFails,
  collected,
  held,
  machineFault("unreachable", true),
  machineFault("hang", true),
  machineFault("disk-full", false),
  machineFault("drop-on-activate", false),
  machineFault("bad-health", false),
  drain,
  leave,
  (t) => t.rival(),
  (t, random) => t.storeAway(random.int(2, 75) * 1000),
];

/** Schedules `count` misfortunes. */
export function schedule(t: Targets, random: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    const kind = random.pick(KINDS);
    t.world.scheduler.after(random.int(0, t.troubleMs), () => kind(t, random));
  }
}
