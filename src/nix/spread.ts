/** How the evaluation of many hosts is spread over processes. Pure. */

export interface Room {
  readonly cpus: number;
  /** Memory that may be had without hurting others, bytes. */
  readonly availableBytes: number;
}

export interface Spread {
  /** Processes at a time. */
  readonly jobs: number;
  /** Hosts per process. */
  readonly chunkSize: number;
  /** Memory Nix takes before it begins to collect garbage; there is next to none before it ends. */
  readonly heapBytes: number;
}

const MIB = 1024 ** 2;
/** A real NixOS system (k3s, 2,050 modules) without collecting, and each further one that shares its nixpkgs. */
const FIRST = 1400 * MIB;
const FURTHER = 500 * MIB;
/** Reading nixpkgs costs as much as one host: amortised enough, while a failed chunk stays cheap to search. */
const WORTHWHILE = 4;
const MOST = 16;
/** Of the memory that is free; the rest is for what else happens on the machine. */
const SHARE = 0.6;

/** As many processes as there are processors, each with as many hosts as fit, evenly filled. */
export function spread(hosts: number, { cpus, availableBytes }: Room): Spread {
  const budget = availableBytes * SHARE;
  const worthwhile = FIRST + (WORTHWHILE - 1) * FURTHER;
  const jobs = clamp(
    Math.floor(budget / worthwhile),
    1,
    Math.max(1, Math.min(cpus, Math.ceil(hosts / WORTHWHILE))),
  );
  const fitting = clamp(Math.floor((budget / jobs - FIRST) / FURTHER) + 1, 1, MOST);
  const rounds = Math.max(1, Math.ceil(hosts / (fitting * jobs)));
  const chunkSize = clamp(Math.ceil(hosts / (rounds * jobs)), 1, fitting);
  return {
    jobs,
    chunkSize,
    heapBytes: Math.floor(Math.min(budget / jobs, FIRST + (chunkSize - 1) * FURTHER)),
  };
}

const clamp = (n: number, low: number, high: number): number => Math.min(high, Math.max(low, n));
