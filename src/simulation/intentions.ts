/**
 * What people around a rollout are up to, and how their sites are open. Drawn from a stream of its own: what a seed
 * meant before there were any stays what it was. [pure]
 */
import { Random } from "./random.ts";

export interface Intentions {
  /** Whatever they do is drawn from here, too. */
  readonly luck: Random;
  /** Sites have maintenance windows in their own time. */
  readonly windows: boolean;
  /** Chance that somebody undoes a run that has paused or ended. */
  readonly undo: number;
  /** How often somebody starts a newer rollout over those that are not finished. */
  readonly supersede: number;
  /** Chance that a run that ended with failures is tried again. */
  readonly reopen: number;
  /** Holds, locks and "not now" of hosts. */
  readonly refusals: number;
  /** Retries of named hosts, promotions to a wave or past all. */
  readonly words: number;
  /** What the programs of hosts' owners answer comes from one more stream. */
  readonly ownersLuck: Random;
  /** How often one of them says "not now", or fails. */
  readonly objections: number;
  /** Whoever looks after single hosts draws from another one. */
  readonly caretakersLuck: Random;
  /** Chance that hosts a run left behind are caught up. */
  readonly catchUp: number;
  /** Chance that somebody takes a host or two back after a run. */
  readonly rollBack: number;
  /** How many more hosts there are than usual; drawn, with what they are, from a stream of its own. */
  readonly crowd: number;
  readonly crowdLuck: Random;
  /** More controllers for whatever run there is. */
  readonly rivals: number;
}

const SALT = 0x776f726c;
const OWNERS_SALT = 0x6f776e65;
const CARETAKERS_SALT = 0x63617265;
const CROWD_SALT = 0x63726f77;

export function intentionsOf(seed: number): Intentions {
  const luck = new Random(seed ^ SALT);
  const ownersLuck = new Random(seed ^ OWNERS_SALT);
  const caretakersLuck = new Random(seed ^ CARETAKERS_SALT);
  const crowdLuck = new Random(seed ^ CROWD_SALT);
  const caring = caretakersLuck.chance(0.4);
  const busy = luck.chance(0.65);
  const some = (n: number): number => (luck.chance(0.45) && busy ? n : 0);
  return {
    luck,
    windows: some(1) > 0,
    undo: some(0.6),
    supersede: some(luck.int(1, 3)),
    reopen: some(0.5),
    refusals: some(luck.int(1, 5)),
    words: some(luck.int(1, 4)),
    ownersLuck,
    objections: ownersLuck.chance(0.35) ? ownersLuck.int(1, 5) : 0,
    caretakersLuck,
    catchUp: caring ? 0.7 : 0,
    rollBack: caring && caretakersLuck.chance(0.6) ? 0.4 : 0,
    crowd: crowdLuck.chance(0.04) ? crowdLuck.int(12, 60) : 0,
    crowdLuck,
    rivals: some(luck.int(1, 2)),
  };
}
