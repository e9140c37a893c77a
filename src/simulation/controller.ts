/** A controller as the world treats it: it can die, freeze, be cut off, and have a clock of its own. */
import type { Clock } from "../kernel/clock.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export class Controller {
  readonly name: string;
  readonly run: string;
  /** First and second ^C. */
  readonly drain = new AbortController();
  readonly leave = new AbortController();
  dead = false;
  /** Told when it dies. */
  died: () => void = () => undefined;
  online = true;
  /** Nothing of it moves before this time. */
  frozenUntil = 0;
  /** Its clock minus the world's, ms. */
  offset: number;
  /** What it sends or was answered goes on when it dies? Decided per message. */
  readonly random: Random;
  readonly #scheduler: Scheduler;

  constructor(name: string, run: string, scheduler: Scheduler, random: Random, offset: number) {
    this.name = name;
    this.run = run;
    this.#scheduler = scheduler;
    this.random = random;
    this.offset = offset;
  }

  /** Runs `work` after `ms` unless it died; later when it is frozen then. */
  after(ms: number, work: () => void): void {
    const go = () => {
      if (this.dead) return;
      if (this.frozenUntil > this.#scheduler.now) this.#scheduler.at(this.frozenUntil, go);
      else work();
    };
    this.#scheduler.after(ms, go);
  }

  /** At once unless it died; later when it is frozen. */
  soon(work: () => void): void {
    if (this.dead) return;
    if (this.frozenUntil > this.#scheduler.now) this.after(0, work);
    else work();
  }

  readonly clock: Clock = {
    now: () => Math.round(this.#scheduler.now + this.offset),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        let done = false;
        const onAbort = () => {
          done = true;
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        this.after(ms, () => {
          if (done) return;
          signal?.removeEventListener("abort", onAbort);
          resolve();
        });
      }),
  };
}
