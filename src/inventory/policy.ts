/**
 * The `rollout:` and `roles:` stanzas (and the flags that override them) -> `Policy`.
 * Several spellings are accepted; all end in one form with every default filled in.
 */
import {
  COPY_PARALLEL,
  type MaintenanceWindow,
  type Policy,
  type Quantity,
  type RolePolicy,
} from "../plan/policy.ts";
import { parseQuantity } from "../plan/quantity.ts";
import { parseDuration } from "./duration.ts";
import type { Finding } from "./findings.ts";
import { ROLES, type Role } from "./model.ts";
import { checkPolicy, checkStanza } from "./policy-check.ts";
import type { RoleStanza, RolloutStanza } from "./schema/rollout.ts";

const percent = (pct: number): Quantity => ({ kind: "percent", pct });
const hosts = (n: number): Quantity => ({ kind: "count", n });
const MINUTE = 60_000;
const DAY = 86_400_000;

export const DEFAULT_POLICY: Policy = {
  order: ROLES,
  canary: { count: percent(10), max: 10, spread: ["role", "site", "hardware"], select: [], prefer: [] },
  maxParallel: percent(10),
  maxParallelCap: 25,
  maxUnavailable: { fleet: percent(10), clusters: {} },
  maxFailures: { canary: hosts(0), wave: percent(5) },
  perSite: { activating: 1, copying: 2 },
  copyParallel: COPY_PARALLEL.usual,
  roles: {
    bootstrap: { maxUnavailable: hosts(1), minAvailable: percent(51) },
    gateway: { maxParallel: hosts(1), minAvailablePerSite: hosts(1) },
  },
  onFailure: "pause",
  promote: "auto",
  confirmTimeoutMs: 180_000,
  minHealthyTimeMs: MINUTE,
  healthyDeadlineMs: 10 * MINUTE,
  progressDeadlineMs: 30 * MINUTE,
  soak: { canaryMs: 15 * MINUTE, waveMs: [5 * MINUTE] },
  finalBakeMs: 10 * MINUTE,
  offline: { policy: "defer", catchUpMs: 14 * DAY, unreachableDeadlineMs: 10 * MINUTE },
  windows: [],
  reboot: "if-needed",
};

type RoleStanzas = Readonly<Partial<Record<Role, RoleStanza>>>;

/** The policy of an inventory and everything that is wrong with it. */
export function policyFrom(
  stanza: RolloutStanza = {},
  roles: RoleStanzas = {},
): { policy: Policy; findings: readonly Finding[] } {
  const policy = applyRoles(applyStanza(DEFAULT_POLICY, stanza), roles);
  return { policy, findings: [...checkStanza(stanza), ...checkPolicy(policy, stanza)] };
}

/** What the stanza states replaces what `base` says; the rest stays. Flags are stanzas, too. */
export function applyStanza(base: Policy, stanza: RolloutStanza): Policy {
  const { canary, maxUnavailable, maxFailures, soak, offline } = stanza;
  const { maxParallelCap, ...uncapped } = base;
  const capped =
    maxParallelCap !== undefined && stanza.maxParallel === undefined && stanza.strategy !== "all";
  const alone = stanza.strategy === "all" || stanza.strategy === "serial";
  return {
    ...uncapped,
    ...(capped ? { maxParallelCap } : {}),
    ...(alone ? { waves: [percent(100)] } : {}),
    ...(stanza.strategy === "serial" ? { maxParallel: hosts(1) } : {}),
    ...(stanza.strategy === "all" ? { maxParallel: percent(100) } : {}),
    ...defined({
      order: stanza.order,
      waves: stanza.waves?.map(quantity),
      maxParallel: quantityOr(stanza.maxParallel),
      onFailure: stanza.onFailure,
      promote: stanza.promote,
      copyParallel: stanza.copyParallel,
      reboot: stanza.reboot,
      confirmTimeoutMs: ms(stanza.confirmTimeout),
      minHealthyTimeMs: ms(stanza.minHealthyTime),
      healthyDeadlineMs: ms(stanza.healthyDeadline ?? stanza.healthTimeout),
      progressDeadlineMs: ms(stanza.progressDeadline),
      finalBakeMs: ms(stanza.finalBake),
      windows: stanza.windows?.map(windowOf),
    }),
    canary: canaryOf(alone ? { ...base.canary, count: hosts(0) } : base.canary, canary),
    maxUnavailable: maxUnavailableOf(base.maxUnavailable, maxUnavailable),
    maxFailures: maxFailuresOf(base.maxFailures, maxFailures),
    perSite: { ...base.perSite, ...stanza.perSite },
    roles: rolesOfMap(base.roles, maxUnavailable),
    soak: soakOf(base.soak, soak),
    offline:
      typeof offline === "string"
        ? { ...base.offline, policy: offline }
        : {
            ...base.offline,
            ...defined({
              policy: offline?.policy,
              catchUpMs: ms(offline?.catchUp),
              unreachableDeadlineMs: ms(offline?.unreachableDeadline),
            }),
          },
  };
}

function applyRoles(base: Policy, stanzas: RoleStanzas): Policy {
  const roles: Partial<Record<Role, RolePolicy>> = { ...base.roles };
  for (const role of ROLES) {
    const stanza = stanzas[role];
    if (stanza === undefined) continue;
    const { minAvailable } = stanza;
    const map = typeof minAvailable === "object" ? minAvailable : { fleet: minAvailable };
    roles[role] = {
      ...roles[role],
      ...defined({
        maxUnavailable: quantityOr(stanza.maxUnavailable),
        maxParallel: quantityOr(stanza.maxParallel),
        minAvailable: quantityOr(map.fleet),
        minAvailablePerSite: quantityOr("perSite" in map ? map.perSite : undefined),
        soakMs: ms(stanza.soak),
      }),
    };
  }
  return { ...base, roles };
}

function canaryOf(base: Policy["canary"], stated: RolloutStanza["canary"]): Policy["canary"] {
  if (stated === undefined) return base;
  const stanza = typeof stated === "object" ? stated : { count: stated };
  const labelled = stanza.label === undefined ? [] : [`label.${stanza.label}=true`];
  const prefer = [...labelled, ...(stanza.prefer ?? [])];
  const count = quantityOr(stanza.count ?? stanza.size);
  // A stated number of canaries is meant; the cap guards against 10 % of a large fleet.
  const max = stanza.max ?? (count?.kind === "count" ? Math.max(count.n, base.max) : undefined);
  return {
    ...base,
    ...defined({ count, max, spread: stanza.spread, select: stanza.select }),
    ...(prefer.length > 0 ? { prefer } : {}),
  };
}

function maxUnavailableOf(
  base: Policy["maxUnavailable"],
  stanza: RolloutStanza["maxUnavailable"],
): Policy["maxUnavailable"] {
  if (stanza === undefined) return base;
  if (typeof stanza !== "object") return { ...base, fleet: quantity(stanza) };
  const clusters = Object.entries(stanza).flatMap(([key, value]) =>
    key.startsWith("cluster:") && value !== undefined
      ? [[key.slice("cluster:".length), quantity(value)] as const]
      : [],
  );
  return {
    ...base,
    ...defined({ fleet: quantityOr(stanza.fleet), site: quantityOr(stanza.site) }),
    clusters: { ...base.clusters, ...Object.fromEntries(clusters) },
  };
}

function rolesOfMap(base: Policy["roles"], stanza: RolloutStanza["maxUnavailable"]): Policy["roles"] {
  if (typeof stanza !== "object") return base;
  const roles: Partial<Record<Role, RolePolicy>> = { ...base };
  for (const role of ROLES) {
    const limit = quantityOr(stanza[`role:${role}`]);
    if (limit !== undefined) roles[role] = { ...roles[role], maxUnavailable: limit };
  }
  return roles;
}

function maxFailuresOf(
  base: Policy["maxFailures"],
  stanza: RolloutStanza["maxFailures"],
): Policy["maxFailures"] {
  if (stanza === undefined) return base;
  if (typeof stanza !== "object") return { ...base, wave: quantity(stanza) };
  const both = stanza.count !== undefined && stanza.percent !== undefined;
  return {
    ...base,
    ...defined({
      canary: quantityOr(stanza.canary),
      wave: quantityOr(stanza.wave ?? stanza.percent ?? stanza.count),
      waveMax: both ? stanza.count : undefined,
      perSite: stanza.perSite,
    }),
  };
}

function soakOf(base: Policy["soak"], stanza: RolloutStanza["soak"]): Policy["soak"] {
  if (stanza === undefined) return base;
  if (typeof stanza === "string" || Array.isArray(stanza)) {
    const [canary = base.canaryMs, ...waves] = [stanza].flat().map((each) => ms(each) ?? 0);
    return { canaryMs: canary, waveMs: waves.length > 0 ? waves : [canary] };
  }
  return {
    canaryMs: ms(stanza.canary) ?? base.canaryMs,
    waveMs: stanza.wave === undefined ? base.waveMs : [stanza.wave].flat().map((each) => ms(each) ?? 0),
  };
}

const ALL_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

function windowOf(stanza: NonNullable<RolloutStanza["windows"]>[number]): MaintenanceWindow {
  const lengthMs = ms(stanza.length) ?? 0;
  return { days: stanza.days ?? ALL_DAYS, start: stanza.start, lengthMs, tz: stanza.tz ?? "site" };
}

/** The schema has checked the form already; what is not a quantity counts as none. */
const quantity = (value: number | string): Quantity => parseQuantity(value) ?? hosts(0);
const quantityOr = (value: number | string | undefined): Quantity | undefined =>
  value === undefined ? undefined : quantity(value);
const ms = (value: string | undefined): number | undefined =>
  value === undefined ? undefined : parseDuration(value);

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the undefined entries, so that spreading it overrides only what was stated. */
function defined<T extends object>(map: T): Defined<T> {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined)) as Defined<T>;
}
