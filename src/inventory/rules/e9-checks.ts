import { error, type Finding, type Path } from "../findings.ts";
import type { CheckConfig } from "../model.ts";
import { suggestion } from "../similar.ts";
import { allVars } from "./e1-names.ts";
import type { Rule, RuleInput } from "./rule.ts";

/** Kinds of health checks; each kind's own options are judged by `validateCheck`. */
export const CHECK_TYPES: readonly string[] = [
  "systemd",
  "tcp",
  "http",
  "command",
  "k3s",
  "mesh",
  "time",
  "disk",
];

/** E901, E902, E903 */
export const healthChecks: Rule = function* (input) {
  yield* checkList(input, ["checks"], input.document.checks ?? []);
  for (const [path, { health }] of allVars(input.document)) {
    yield* checkList(input, [...path, "health", "checks"], health?.checks ?? []);
  }
};

function* checkList(input: RuleInput, path: Path, checks: readonly CheckConfig[]): Generator<Finding> {
  const names = new Set<string>();
  for (const [i, check] of checks.entries()) {
    const here = [...path, i];
    if (names.has(check.name))
      yield error("E902", [...here, "name"], `two checks are called "${check.name}"`);
    names.add(check.name);
    if (!CHECK_TYPES.includes(check.type)) {
      const fix = suggestion(check.type, CHECK_TYPES, "types");
      yield error("E901", [...here, "type"], `no check type "${check.type}"`, { fix });
      continue;
    }
    for (const message of input.validateCheck(check)) yield error("E903", here, `${check.name}: ${message}`);
  }
}
