/** Flags that override the inventory's `rollout:` stanza; the same for `plan` and `rollout`. */
import { z } from "zod";
import { FleetError } from "../errors.ts";
import { Duration } from "../globals.ts";
import type { Host, Inventory, Role } from "../inventory/model.ts";
import { ROLES } from "../inventory/model.ts";
import { checkPolicy } from "../inventory/policy-check.ts";
import { copies } from "../inventory/schema/rollout.ts";
import { matchHosts, selectHosts } from "../inventory/select.ts";
import { COPY_PARALLEL, type Policy, type Quantity, type RolePolicy } from "../plan/policy.ts";
import { parseQuantity } from "../plan/quantity.ts";
import type { OptionSpec } from "./command.ts";

export const POLICY_OPTIONS: readonly OptionSpec[] = [
  ["--to <rev>", "revision to roll out", "the flake as it is"],
  ["--canary <n>", "hosts that go first: 3, 10% or a --limit pattern", "10%"],
  ["--waves <list>", "cumulative targets, growing to 100%: 10%,50%,100%", "by fleet size"],
  ["--max-parallel <n>", "hosts activating at the same time", "10%"],
  ["--copy-parallel <n>", "hosts copied to at the same time", String(COPY_PARALLEL.usual)],
  ["--max-unavailable <n>", "hosts that may be down because of this", "10%"],
  ["--max-failures <n>", "stop when more than this many of a wave fail", "5%, canary 0"],
  ["--min-available <role=n>", "keep at least this many of a role: bootstrap=2,gateway=50%"],
  ["--on-failure <what>", "pause, rollback or continue", "pause"],
  ["--promote <how>", "auto, or manual: every gate waits for rollout promote", "auto"],
  ["--soak <list>", "canary=15m,wave=5m"],
  ["--final-bake <duration>", "watch the whole fleet this long at the end", "10m"],
  ["--confirm-timeout <duration>", "a host nobody reaches for this long reverts itself", "180s"],
  ["--min-healthy-time <duration>", "continuous health before a host commits", "60s"],
  ["--healthy-deadline <duration>", "a host must be healthy within this", "10m"],
  ["--progress-deadline <duration>", "pause when no host is updated for this long", "30m"],
  ["--offline <how>", "defer, fail or skip hosts out of reach", "defer"],
  ["--unreachable-deadline <duration>", "out of reach for this long means offline", "10m"],
  ["--reboot <when>", "never, if-needed or always", "if-needed"],
  ["--urgent", "security fix: canary soak 5m, waves 25%,100%, twice as parallel; every guard stays"],
  ["--ignore-windows", "start outside of maintenance windows"],
  ["--ignore-consent", "do not ask the programs of hosts' owners (consent.d)"],
  ["--force", "also hosts that run something unexpected"],
];

const Amount = z.string().transform((text, context): Quantity => {
  const quantity = parseQuantity(text);
  if (quantity) return quantity;
  context.addIssue({
    code: "custom",
    message: `"${text}" is neither a whole number nor a whole percentage such as 10%`,
  });
  return z.NEVER;
});

const Copies = z.string().transform(Number).pipe(copies);

const pairs = (text: string) =>
  text.split(",").map((part) => part.split("=").map((s) => s.trim()) as [string, string | undefined]);

export const PolicyOptions = z.object({
  to: z.string().optional(),
  canary: z.string().optional(),
  waves: z.string().optional(),
  maxParallel: Amount.optional(),
  copyParallel: Copies.optional(),
  maxUnavailable: Amount.optional(),
  maxFailures: Amount.optional(),
  minAvailable: z.string().optional(),
  onFailure: z.enum(["pause", "rollback", "continue"]).optional(),
  promote: z.enum(["auto", "manual"]).optional(),
  soak: z.string().optional(),
  finalBake: Duration.optional(),
  confirmTimeout: Duration.optional(),
  minHealthyTime: Duration.optional(),
  healthyDeadline: Duration.optional(),
  progressDeadline: Duration.optional(),
  offline: z.enum(["defer", "fail", "skip"]).optional(),
  unreachableDeadline: Duration.optional(),
  reboot: z.enum(["never", "if-needed", "always"]).optional(),
  urgent: z.boolean().default(false),
  ignoreWindows: z.boolean().default(false),
  ignoreConsent: z.boolean().default(false),
  force: z.boolean().default(false),
});
export type PolicyOptions = z.output<typeof PolicyOptions>;

export interface Overridden {
  readonly inventory: Inventory;
  readonly canaryFrom?: (host: Host) => boolean;
  readonly prefer?: (host: Host) => boolean;
}

/** Throws `policy-invalid` with every conflict between the timers and limits that result. */
export function overridePolicy(inventory: Inventory, o: PolicyOptions): Overridden {
  const base = o.urgent ? urgent(inventory.policy) : inventory.policy;
  const count = o.canary === undefined ? null : parseQuantity(o.canary);
  const { maxParallelCap: _cap, ...uncapped } = base;
  const policy: Policy = {
    ...(o.maxParallel ? uncapped : base),
    ...(o.maxParallel ? { maxParallel: o.maxParallel } : {}),
    canary: { ...base.canary, ...(count ? { count, max: Number.MAX_SAFE_INTEGER } : {}) },
    ...(o.waves === undefined ? {} : { waves: parseWaves(o.waves) }),
    copyParallel: o.copyParallel ?? base.copyParallel,
    maxUnavailable: { ...base.maxUnavailable, ...(o.maxUnavailable ? { fleet: o.maxUnavailable } : {}) },
    maxFailures: { ...base.maxFailures, ...(o.maxFailures ? { wave: o.maxFailures } : {}) },
    roles: { ...base.roles, ...minAvailable(base, o.minAvailable) },
    onFailure: o.onFailure ?? base.onFailure,
    promote: o.promote ?? base.promote,
    confirmTimeoutMs: o.confirmTimeout ?? base.confirmTimeoutMs,
    minHealthyTimeMs: o.minHealthyTime ?? base.minHealthyTimeMs,
    healthyDeadlineMs: o.healthyDeadline ?? base.healthyDeadlineMs,
    progressDeadlineMs: o.progressDeadline ?? base.progressDeadlineMs,
    soak: soak(base, o.soak),
    finalBakeMs: o.finalBake ?? base.finalBakeMs,
    offline: {
      ...base.offline,
      ...(o.offline ? { policy: o.offline } : {}),
      ...(o.unreachableDeadline === undefined ? {} : { unreachableDeadlineMs: o.unreachableDeadline }),
    },
    windows: o.ignoreWindows ? [] : base.windows,
    reboot: o.reboot ?? base.reboot,
    ...(o.ignoreConsent ? { ignoreConsent: true } : {}),
  };
  verify(policy);
  const sites = o.ignoreWindows
    ? Object.fromEntries(
        Object.entries(inventory.sites).map(([name, site]) => [name, { ...site, windows: [] }]),
      )
    : inventory.sites;
  const next: Inventory = { ...inventory, policy, sites };
  const pattern = o.canary !== undefined && !count ? o.canary : policy.canary.select.join(",");
  return {
    inventory:
      pattern === "" || count
        ? next
        : { ...next, policy: { ...policy, canary: canaryOf(next, pattern, policy) } },
    ...(pattern === "" || count ? {} : { canaryFrom: among(next, pattern) }),
    ...(policy.canary.prefer.length > 0 ? { prefer: among(next, policy.canary.prefer.join(",")) } : {}),
  };
}

/** `--canary PATTERN` means exactly these hosts. */
function canaryOf(inventory: Inventory, pattern: string, policy: Policy): Policy["canary"] {
  const named = selectHosts(inventory, pattern).length;
  return policy.canary.select.length > 0
    ? policy.canary
    : { ...policy.canary, count: { kind: "count", n: named }, max: named };
}

function among(inventory: Inventory, pattern: string): (host: Host) => boolean {
  const names = new Set(matchHosts(inventory, pattern).map((h) => h.name));
  return (host) => names.has(host.name);
}

function urgent(policy: Policy): Policy {
  const twice = (q: Quantity): Quantity =>
    q.kind === "count" ? { ...q, n: q.n * 2 } : { ...q, pct: Math.min(100, q.pct * 2) };
  return {
    ...policy,
    waves: [
      { kind: "percent", pct: 25 },
      { kind: "percent", pct: 100 },
    ],
    maxParallel: twice(policy.maxParallel),
    soak: {
      canaryMs: Math.min(policy.soak.canaryMs, 5 * 60_000),
      waveMs: policy.soak.waveMs.map((ms) => Math.min(ms, 60_000)),
    },
    finalBakeMs: Math.min(policy.finalBakeMs, 60_000),
  };
}

function parseWaves(text: string): readonly Quantity[] {
  return text.split(",").map((part) => {
    const quantity = parseQuantity(part);
    if (!quantity)
      throw new FleetError("usage", `--waves: "${part.trim()}" is neither a number nor a percentage`, {
        hint: "for example --waves 10%,50%,100%",
      });
    return quantity;
  });
}

function minAvailable(base: Policy, text: string | undefined): Partial<Record<Role, RolePolicy>> {
  if (text === undefined) return {};
  return Object.fromEntries(
    pairs(text).map(([role, amount]) => {
      const quantity = parseQuantity(amount ?? "");
      if (!ROLES.includes(role as Role) || !quantity) {
        throw new FleetError("usage", `--min-available: "${role}=${amount ?? ""}" is not ROLE=NUMBER`, {
          hint: "for example --min-available bootstrap=2",
        });
      }
      return [role, { ...base.roles[role as Role], minAvailable: quantity }];
    }),
  );
}

function soak(base: Policy, text: string | undefined): Policy["soak"] {
  if (text === undefined) return base.soak;
  let { canaryMs, waveMs } = base.soak;
  for (const [name, value] of pairs(text)) {
    const ms = Duration.safeParse(value ?? "");
    if (!ms.success || (name !== "canary" && name !== "wave")) {
      throw new FleetError(
        "usage",
        `--soak: "${name}=${value ?? ""}" is not canary=DURATION or wave=DURATION`,
        {
          hint: "for example --soak canary=15m,wave=5m",
        },
      );
    }
    if (name === "canary") canaryMs = ms.data;
    else waveMs = [ms.data];
  }
  return { canaryMs, waveMs };
}

/** The same rules as for the inventory's `rollout:` stanza, told by the names of the flags. */
function verify(policy: Policy): void {
  const wrong = [...checkPolicy(policy)].map(({ message, fix }) => (fix ? `${message} (${fix})` : message));
  if (wrong.length === 0) return;
  throw new FleetError("policy-invalid", wrong.join("; "), {
    hint: "a flag is named like the key, maxParallel is --max-parallel; see them with: macula-fleet plan",
  });
}
