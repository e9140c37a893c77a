/** Health checks between the inventory and the host's script. */
import { FleetError } from "../errors.ts";
import type { CheckConfig } from "../inventory/model.ts";
import { kinds } from "./kinds/index.ts";
import type { KindParameters, OptionProblem, ParsedOptions } from "./kinds/kind.ts";

export const checkTypes: readonly string[] = kinds.map((kind) => kind.type);

/** Validates one check by its kind's schema and turns it into the script's options. */
export function parseCheck(check: CheckConfig): ParsedOptions {
  const kind = kinds.find((k) => k.type === check.type);
  if (kind) return kind.parse(check);
  const message = `unknown kind of check "${check.type}"; there are ${checkTypes.join(", ")}`;
  return { ok: false, problems: [{ path: "type", message }] };
}

/** What is wrong with a list of checks, for the inventory's report. Empty: nothing. */
export function checkProblems(
  checks: readonly CheckConfig[],
): readonly (OptionProblem & { readonly index: number })[] {
  return checks.flatMap((check, index) => {
    const parsed = parseCheck(check);
    return parsed.ok ? [] : parsed.problems.map((p) => ({ index, ...p }));
  });
}

/** `CHECK_COUNT`, `CHECK_1_TYPE`, `CHECK_1_NAME`, … as `check.sh` reads them. Throws `policy-invalid`. */
export function checkParameters(checks: readonly CheckConfig[]): KindParameters {
  const entries = checks.flatMap((check, i) => {
    const parsed = parseCheck(check);
    if (!parsed.ok) {
      const said = parsed.problems.map((p) => `${p.path}: ${p.message}`).join("; ");
      throw new FleetError("policy-invalid", `check "${check.name}" is not usable: ${said}`);
    }
    return Object.entries(parsed.parameters).map(([k, v]) => [`CHECK_${i + 1}_${k}`, v] as const);
  });
  return { CHECK_COUNT: checks.length, ...Object.fromEntries(entries) };
}
