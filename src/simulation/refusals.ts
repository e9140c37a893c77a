/** Hosts that do not want to be changed: held, locked, busy for their users just now, or their owner says no. */
import { withDisk } from "../lab/machine/model.ts";
import type { Targets } from "./misfortune.ts";
import type { Random } from "./random.ts";

type Refusal = (t: Targets, host: string, luck: Random) => void;

const seconds = (t: Targets): number => Math.floor(t.world.scheduler.now / 1000);

/** Ends by itself, by the host's clock; the note stays there. */
const heldFor: Refusal = (t, host, luck) => {
  const s = luck.int(5, luck.chance(0.2) ? 3600 : 240);
  const hold = { by: "someone", reason: "mains work", time: seconds(t) + s };
  t.note(`${host}: held for ${s} s`);
  t.world.change(host, (m) => withDisk(m, { hold }));
};

const heldUntilTold: Refusal = (t, host, luck) => {
  const s = luck.int(5, 900);
  t.note(`${host}: held, let go after ${s} s`);
  t.world.change(host, (m) => withDisk(m, { hold: { by: "someone", reason: "new disk", time: 0 } }));
  t.world.scheduler.after(s * 1000, () => t.world.change(host, (m) => withDisk(m, { hold: null })));
};

const locked: Refusal = (t, host, luck) => {
  const s = luck.int(5, 300);
  const lock = { by: "someone", reason: "looks into it", time: seconds(t) };
  t.note(`${host}: locked for ${s} s`);
  t.world.change(host, (m) => withDisk(m, { lock }));
  t.world.scheduler.after(s * 1000, () => t.world.change(host, (m) => withDisk(m, { lock: null })));
};

/** A check of its users answers 21. */
const notNow: Refusal = (t, host, luck) => {
  const s = luck.int(5, 120);
  t.note(`${host}: "not now" for ${s} s`);
  t.world.notNowUntil(host, t.world.scheduler.now + s * 1000);
};

/** A program of its owner says no, and now and then until when; that is not always true. Or it fails. */
const withoutConsent: Refusal = (t, host, luck) => {
  const s = luck.int(5, luck.chance(0.2) ? 3600 : 120);
  const says = luck.chance(0.5) ? seconds(t) + (luck.chance(0.7) ? s : luck.int(1, 600)) : 0;
  const broken = luck.chance(0.2) ? { broken: true as const } : {};
  t.note(`${host}: its owner does not consent for ${s} s`);
  const consent = { reason: "the shop is open", until: says, ...broken };
  t.world.change(host, (m) => withDisk(m, { consent }));
  t.world.scheduler.after(s * 1000, () =>
    t.world.change(host, (m) => (m.disk.consent === consent ? withDisk(m, { consent: null }) : m)),
  );
};

export function scheduleRefusals(t: Targets, luck: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    const refusal = luck.pick([heldFor, heldFor, heldUntilTold, locked, notNow, notNow]);
    t.world.scheduler.after(luck.int(0, t.troubleMs), () => refusal(t, luck.pick(t.world.hosts), luck));
  }
}

export function scheduleObjections(t: Targets, luck: Random, count: number): void {
  for (let i = 0; i < count; i++)
    t.world.scheduler.after(luck.int(0, t.troubleMs), () =>
      withoutConsent(t, luck.pick(t.world.hosts), luck),
    );
}
