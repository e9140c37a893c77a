/** A rule looks at a whole inventory and yields what is wrong. Adding one: a file, a line in `index.ts`, a case. */
import type { Finding, Path } from "../findings.ts";
import type { Layered } from "../layers.ts";
import type { CheckConfig, Host, Inventory } from "../model.ts";
import { origin } from "../resolve.ts";
import type { InventoryDocument } from "../schema.ts";

/** What is known of a machine; collected by others, judged here. */
export interface HostFacts {
  /** `2026-11-20` */
  readonly collected: string;
  readonly arch?: string;
  readonly disks: readonly DiskFacts[];
}

export interface DiskFacts {
  /** Name below /dev/disk/by-id. */
  readonly id: string;
  /** Kernel name, `/dev/sda`. */
  readonly path: string;
  readonly usb?: boolean;
  /** Holds the operator's backups: never to be installed on. */
  readonly backups?: boolean;
}

export interface RuleInput {
  /** As written (the valid part of it). */
  readonly document: InventoryDocument;
  readonly inventory: Inventory;
  readonly layers: ReadonlyMap<string, Layered>;
  /** Milliseconds since the epoch: for ends of life. */
  readonly now: number;
  /** `install` also covers convert: disks are erased, so doubts become errors. */
  readonly purpose: "install" | "other";
  readonly facts: (host: string) => HostFacts | undefined;
  /** Files that secrets refer to; undefined when the file is not there. Their values are never reported. */
  readonly secretFile: (path: string) => string | undefined;
  /** What a check's kind says about its options; one sentence per mistake. */
  readonly validateCheck: (check: CheckConfig) => readonly string[];
}

export type Rule = (input: RuleInput) => Iterable<Finding>;

/** Place of a host's field for a finding, and where it was stated. */
export function field(
  input: RuleInput,
  host: Host,
  ...path: (string | number)[]
): { path: Path; from: Path } {
  const layered = input.layers.get(host.name);
  return {
    path: ["hosts", host.name, ...path],
    from: layered === undefined ? ["hosts", host.name] : origin(layered, path),
  };
}

/** Hosts that exist or soon will: retired ones are kept for the record only. */
export const livingHosts = (inventory: Inventory): readonly Host[] =>
  inventory.hosts.filter(({ state }) => state !== "retired");

export function groupBy<T>(items: Iterable<T>, key: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const name = key(item);
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}

/** Hosts by the entry of the file that declares them: one finding per range, not per member. */
export const byEntry = (input: RuleInput, hosts: Iterable<Host>): Iterable<[Host, ...Host[]]> =>
  nonEmpty(groupBy(hosts, (host) => input.layers.get(host.name)?.path.join("\0") ?? host.name).values());

function* nonEmpty<T>(groups: Iterable<T[]>): Generator<[T, ...T[]]> {
  for (const [first, ...rest] of groups) if (first !== undefined) yield [first, ...rest];
}
