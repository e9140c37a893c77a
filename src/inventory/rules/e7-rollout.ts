import { FleetError } from "../../errors.ts";
import { targetOf } from "../../plan/quantity.ts";
import { error, warning } from "../findings.ts";
import type { Host, Inventory } from "../model.ts";
import { asTyped } from "../policy-check.ts";
import { matchHosts } from "../select.ts";
import type { Rule } from "./rule.ts";

/** E701: the first host to try something on should not be the one everybody needs. */
export const riskyCanary: Rule = function* (input) {
  const { inventory } = input;
  const { canary, order } = inventory.policy;
  const targets = inventory.hosts.filter(({ os, state }) => os === "nixos" && state === "active");
  const bootstraps = targets.filter(({ roles }) => roles.includes("bootstrap"));
  const [only] = bootstraps;
  if (only === undefined || bootstraps.length > 1) return;
  const eligible = pick(inventory, canary.select, targets).filter(
    ({ rollout }) => rollout.canary !== "never",
  );
  const preferred = new Set(pick(inventory, canary.prefer, []));
  const rank = (host: Host) =>
    (preferred.has(host) || host.rollout.canary === "always" ? 0 : 100) + order.indexOf(host.role);
  const size = Math.min(targetOf(canary.count, targets.length), canary.max);
  const canaries = [...eligible].sort((a, b) => rank(a) - rank(b)).slice(0, size);
  if (!canaries.includes(only) || targets.length === 1) return;
  const hosts = size === 1 ? "1 host" : `${size} hosts`;
  const which = size === 1 ? `= ${only.name}` : `with ${only.name}`;
  yield warning(
    "E701",
    ["rollout", "canary"],
    `canary ${asTyped(canary.count)} of ${targets.length} targets is ${hosts} ${which}, the only bootstrap`,
    { fix: "Choose canary.prefer." },
  );
};

/** E104, W701: the `--limit` terms of the stanza. */
export const canaryTerms: Rule = function* (input) {
  for (const key of ["select", "prefer"] as const) {
    for (const [i, term] of input.inventory.policy.canary[key].entries()) {
      const { hosts, problem } = match(input.inventory, term);
      const path = ["rollout", "canary", key, i];
      if (problem)
        yield error("E104", path, problem.message.replace("--limit: ", ""), { fix: problem.hint ?? "" });
      else if (hosts.length === 0) yield warning("W701", path, `no host matches "${term}"`);
    }
  }
};

function match(inventory: Inventory, term: string): { hosts: readonly Host[]; problem?: FleetError } {
  try {
    return { hosts: matchHosts(inventory, term) };
  } catch (cause) {
    if (!(cause instanceof FleetError)) throw cause;
    return { hosts: [], problem: cause };
  }
}

function pick(inventory: Inventory, terms: readonly string[], otherwise: readonly Host[]): readonly Host[] {
  return terms.length === 0 ? otherwise : [...new Set(terms.flatMap((term) => match(inventory, term).hosts))];
}
