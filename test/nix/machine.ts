/** Machines as our modules make them, seen through the small lib in `lib/`. */
import { evaluate, FLAKE, HERE } from "./nix.ts";

export interface SecretSlot {
  readonly ref: string | null;
  readonly entries: Readonly<Record<string, string>>;
  readonly path: string;
  readonly mode: string;
  readonly owner: string;
  readonly units: readonly string[];
  readonly installOnly: boolean;
}

export interface Machine {
  /** Option -> value, dots between the parts; packages as `<name>`. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Options of nixpkgs or disko that got a value. */
  readonly used: readonly string[];
  /** Messages of assertions that do not hold. */
  readonly failed: readonly string[];
  readonly secrets: Readonly<Record<string, SecretSlot>>;
}

export interface MachineOptions {
  /** Path of one more module. */
  readonly extra?: string;
  readonly only?: string;
  readonly operatorKeys?: readonly string[];
}

const ask = (inventory: string, attribute: string, o: MachineOptions = {}): unknown =>
  evaluate([
    `${HERE}machine.nix`,
    ...["--argstr", "inventory", inventory],
    ...["--arg", "flake", FLAKE],
    ...["--arg", "operatorKeys", `[ ${(o.operatorKeys ?? []).map((key) => JSON.stringify(key)).join(" ")} ]`],
    ...(o.extra === undefined ? [] : ["--argstr", "extra", o.extra]),
    ...(o.only === undefined ? [] : ["--argstr", "only", o.only]),
    ...["-A", attribute],
  ]);

export const machines = (inventory: string, o?: MachineOptions): Readonly<Record<string, Machine>> =>
  ask(inventory, "hosts", o) as Record<string, Machine>;

/** One machine; throws when the inventory has no such host. */
export function machine(inventory: string, name: string, o: MachineOptions = {}): Machine {
  const found = machines(inventory, { ...o, only: name })[name];
  if (found === undefined) throw new Error(`no machine ${name}`);
  return found;
}

/** `disko.devices` by host; null where the system came as an image. */
export const disks = (inventory: string, only?: string): Readonly<Record<string, unknown>> =>
  ask(inventory, "disks", only === undefined ? {} : { only }) as Record<string, unknown>;

export const vms = (inventory: string): Readonly<Record<string, Machine>> =>
  ask(inventory, "vm") as Record<string, Machine>;

interface Images {
  readonly iso: Machine;
  readonly sdcard: Machine;
  /** The card of a flake that was taken without its repository. */
  readonly withoutWizard: Machine;
}

export const images = (inventory: string): Images => ask(inventory, "images") as Images;

/** The YAML (here: JSON, which is YAML) a generated file was made from. */
export function generated(value: unknown): string {
  const text = /^<[^>]*>(.*)$/s.exec(String(value))?.[1];
  if (text === undefined) throw new Error(`not a generated file: ${String(value)}`);
  return text;
}

export interface DeclaredOption {
  readonly name: string;
  readonly type: string;
  /** Nix text; null: none. */
  readonly default: string | null;
  readonly description: string;
}

/** Every option the flake declares, by name. */
export const declaredOptions = (inventory: string): readonly DeclaredOption[] =>
  (ask(inventory, "options") as DeclaredOption[]).toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** A list-valued option of a machine; empty when unset. */
export const list = (machine: Machine, path: string): readonly unknown[] =>
  (machine.values[path] ?? []) as unknown[];

/** An option of a machine as text; empty when unset. */
export const text = (machine: Machine, path: string): string => String(machine.values[path] ?? "");
