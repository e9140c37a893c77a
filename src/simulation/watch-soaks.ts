/** Soaks and bakes that end before their time: only for a promotion, and only once every host was seen well after it. */
import type { FleetEvent } from "../rollout/events.ts";
import type { RolloutState } from "../rollout/state.ts";

/** One that goes on. Places are places in the journal. */
interface Soak {
  readonly wave: number | null;
  readonly until: number;
  /** Since when a look counts: its begin, then the first promotion after that. */
  since: number;
  promoted: boolean;
}

export class SoakWatch {
  readonly #soaks = new Map<string, Soak>();
  /** By `run host`: place of the last look that found it well. */
  readonly #well = new Map<string, number>();
  readonly #violate: (what: string) => void;

  constructor(violate: (what: string) => void) {
    this.#violate = violate;
  }

  read(before: RolloutState, event: FleetEvent): void {
    const { id } = before.plan;
    const soak = this.#soaks.get(id);
    switch (event.type) {
      case "host.check":
        this.#well.set(`${id} ${event.host}`, event.data.healthy ? event.seq : 0);
        return;
      case "wave.soak":
        this.#begins(before, event.wave ?? null, event.data.until, event.seq);
        return;
      case "wave.gate":
      case "wave.end":
        if (soak?.wave === before.wave) this.#ends(before, soak, event);
        return;
      case "rollout.command":
        if (soak && event.data.command === "promote" && !soak.promoted) {
          soak.promoted = true;
          soak.since = event.seq;
        }
        return;
      case "rollout.state":
        if (event.data.to === "baking" && event.data.until !== undefined)
          this.#begins(before, null, event.data.until, event.seq);
        else if (before.status === "baking" && event.data.to.startsWith("succeeded") && soak)
          this.#ends(before, soak, event);
        return;
      default:
    }
  }

  #begins(before: RolloutState, wave: number | null, until: string, since: number): void {
    const { id } = before.plan;
    const last = this.#soaks.get(id);
    // Promoted while it was paused, it goes on with that.
    const same = last?.wave === wave && last.promoted ? last : null;
    const promoted = same !== null || before.soaksCutTo >= (wave ?? before.wave);
    this.#soaks.set(id, { wave, until: Date.parse(until), since: same?.since ?? since, promoted });
  }

  #ends({ plan, hosts }: RolloutState, { wave, until, since, promoted }: Soak, { ts }: FleetEvent): void {
    this.#soaks.delete(plan.id);
    if (Date.parse(ts) >= until) return;
    const what = `${plan.id} ended ${wave === null ? "its bake" : `the soak of wave ${wave}`} early`;
    const watched = [...hosts.values()].filter(
      (h) => h.state === "updated" && (wave === null || h.wave === wave),
    );
    if (watched.length > 0 && !promoted) this.#violate(`${what}, and nobody promoted it`);
    for (const { name } of watched)
      if ((this.#well.get(`${plan.id} ${name}`) ?? 0) <= since)
        this.#violate(`${what}, and ${name} was not seen well since`);
  }
}
