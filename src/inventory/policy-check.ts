/** E7xx that need nothing but the policy: also run on the flags of a rollout. */
import type { Policy, Quantity } from "../plan/policy.ts";
import { formatDuration } from "./duration.ts";
import { error, type Finding } from "./findings.ts";
import { ROLES } from "./model.ts";
import type { RolloutStanza } from "./schema/rollout.ts";

/** Contradictions in how something was written, before synonyms are unified. */
export function* checkStanza(stanza: RolloutStanza): Generator<Finding> {
  const both = (where: string[], a: string, b: string): Finding =>
    error("E711", ["rollout", ...where], `"${a}" and "${b}" say the same thing; keep one`, { point: "key" });
  const { canary, maxFailures, maxUnavailable } = stanza;
  if (typeof canary === "object" && canary.count !== undefined && canary.size !== undefined) {
    yield both(["canary", "size"], "count", "size");
  }
  if (stanza.healthyDeadline !== undefined && stanza.healthTimeout !== undefined) {
    yield both(["healthTimeout"], "healthyDeadline", "healthTimeout");
  }
  if (typeof maxFailures === "object" && maxFailures.wave !== undefined) {
    if (maxFailures.count !== undefined) yield both(["maxFailures", "count"], "wave", "count");
    if (maxFailures.percent !== undefined) yield both(["maxFailures", "percent"], "wave", "percent");
  }
  if (stanza.autoRollback === false) {
    yield error(
      "E706",
      ["rollout", "autoRollback"],
      "a failed host always reverts itself; this cannot be switched off",
      {
        fix: "Remove autoRollback; what happens to the rollout is onFailure: pause, rollback or continue.",
      },
    );
  }
  if (stanza.strategy === "all" || stanza.strategy === "serial") {
    for (const key of ["canary", "waves"] as const) {
      if (stanza[key] === undefined) continue;
      yield error("E712", ["rollout", key], `strategy "${stanza.strategy}" has no ${key}`, {
        point: "key",
        fix: "Use strategy: waves, or leave it out.",
      });
    }
  }
  if (typeof maxUnavailable === "object") {
    for (const key of Object.keys(maxUnavailable)) {
      if (/^(?:fleet|site|role:(?:peer|gateway|bootstrap)|cluster:.+)$/.test(key)) continue;
      yield error("E103", ["rollout", "maxUnavailable"], `unknown key "${key}"`, {
        from: ["rollout", "maxUnavailable", key],
        point: "key",
        fix: "Known keys are fleet, site, role:NAME and cluster:NAME.",
      });
    }
  }
}

/** Policies that cannot work, whichever way they were stated. `stated` tells which timer to point at. */
export function* checkPolicy(policy: Policy, stated: RolloutStanza = {}): Generator<Finding> {
  yield* checkWaves(policy);
  yield* checkLimits(policy);
  const timers = [
    ["minHealthyTime", policy.minHealthyTimeMs],
    ["healthyDeadline", policy.healthyDeadlineMs],
    ["progressDeadline", policy.progressDeadlineMs],
  ] as const;
  for (const [i, [name, value]] of timers.entries()) {
    const before = timers[i - 1];
    if (before === undefined || value > before[1]) continue;
    const message = `${name} (${formatDuration(value)}) must be longer than ${before[0]} (${formatDuration(before[1])})`;
    const places = [
      name,
      ...(name === "healthyDeadline" ? (["healthTimeout"] as const) : []),
      before[0],
    ] as const;
    const place = places.find((key) => stated[key] !== undefined) ?? name;
    yield error("E703", ["rollout", name], message, { from: ["rollout", place] });
  }
  if (policy.confirmTimeoutMs === 0) {
    yield error("E705", ["rollout", "confirmTimeout"], "confirmTimeout 0s would revert every host at once", {
      fix: "Give a new connection time to be made: 180s.",
    });
  }
  if (new Set(policy.order).size !== ROLES.length || policy.order.length !== ROLES.length) {
    yield error("E709", ["rollout", "order"], `order must name every role once: ${ROLES.join(", ")}`);
  }
  for (const [i, { lengthMs, tz }] of policy.windows.entries()) {
    if (lengthMs === 0) yield error("E710", ["rollout", "windows", i, "length"], "a window needs a length");
    if (tz !== "site" && !isTimeZone(tz)) {
      yield error("E710", ["rollout", "windows", i, "tz"], `no time zone "${tz}"`, {
        fix: "Use an IANA name such as Europe/Brussels, or site.",
      });
    }
  }
}

function* checkWaves({ waves }: Policy): Generator<Finding> {
  if (waves === undefined) return;
  const fix = "Waves are cumulative: [10%, 50%, 100%].";
  for (const [i, wave] of waves.entries()) {
    const before = waves[i - 1];
    if (before === undefined ? isZero(wave) : !grows(before, wave)) {
      const than = before === undefined ? "0" : asTyped(before);
      const message = `waves must grow: ${asTyped(wave)} is not more than ${than}`;
      yield error("E702", ["rollout", "waves", i], message, { fix });
    }
  }
  const last = waves.at(-1);
  if (last !== undefined && !(last.kind === "percent" && last.pct === 100)) {
    yield error(
      "E702",
      ["rollout", "waves", waves.length - 1],
      `waves must end at 100%, not at ${asTyped(last)}`,
      { fix },
    );
  }
}

/** A number and a percentage can only be compared when the plan knows the hosts. */
function grows(before: Quantity, after: Quantity): boolean {
  if (before.kind === "count" && after.kind === "count") return after.n > before.n;
  if (before.kind === "percent" && after.kind === "percent") return after.pct > before.pct;
  return !isZero(after);
}

function* checkLimits(policy: Policy): Generator<Finding> {
  if (isZero(policy.maxParallel)) {
    yield error("E708", ["rollout", "maxParallel"], "maxParallel 0 would never start a host", {
      fix: "Use at least 1.",
    });
    return;
  }
  const { fleet, site, clusters } = policy.maxUnavailable;
  const limits: [readonly string[], string, Quantity | undefined][] = [
    [["rollout", "maxUnavailable"], "maxUnavailable", fleet],
    [["rollout", "maxUnavailable", "site"], "maxUnavailable of a site", site],
    ...Object.entries(clusters).map(([name, limit]): [string[], string, Quantity] => [
      ["rollout", "maxUnavailable", `cluster:${name}`],
      `maxUnavailable of cluster ${name}`,
      limit,
    ]),
    ...ROLES.map((role): [string[], string, Quantity | undefined] => [
      ["roles", role, "maxUnavailable"],
      `maxUnavailable of role ${role}`,
      policy.roles[role]?.maxUnavailable,
    ]),
  ];
  for (const [path, what, limit] of limits) {
    if (limit === undefined || !isZero(limit)) continue;
    yield error(
      "E704",
      path,
      `${what} is 0 while maxParallel is ${asTyped(policy.maxParallel)}: no host could ever start`,
      {
        fix: "Allow at least 1 host to be unavailable.",
      },
    );
  }
  for (const role of ROLES) {
    const limit = policy.roles[role]?.maxParallel;
    if (limit !== undefined && isZero(limit)) {
      yield error("E708", ["roles", role, "maxParallel"], `maxParallel 0 would never start a ${role}`, {
        fix: "Use at least 1.",
      });
    }
  }
}

/** As it stands in the file: `10%`, where plans print `10 %`. */
export const asTyped = (quantity: Quantity): string =>
  quantity.kind === "count" ? String(quantity.n) : `${quantity.pct}%`;

/** Literally nothing: `0` or `0%`. */
const isZero = (quantity: Quantity): boolean => (quantity.kind === "count" ? quantity.n : quantity.pct) === 0;

/** Known to this runtime's IANA data. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
