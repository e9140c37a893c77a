/** A conversion's plan for people: everything that is confirmed with its hash, the disk first of all. Pure. */
import type { ConversionPlan } from "../convert/plan.ts";
import { conversionLines } from "../convert/view.ts";
import { type Line, line } from "../ui/view/line.ts";
import { targetLines } from "./install-view.ts";

export function conversionPlanLines(plan: ConversionPlan): Line[] {
  const target = plan.targets[plan.conversion.host];
  return [
    ...conversionLines(plan.conversion).map((text) => line(text)),
    ...(target ? targetLines(target) : []),
    line(`plan hash: ${plan.hash}`),
  ];
}
