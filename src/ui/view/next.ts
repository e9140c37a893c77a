/** The exact commands to type next, and what each is for. Pure. */
import { nextSteps } from "../../rollout/next.ts";
import type { ViewState } from "./model.ts";

/** Never empty. What the engine said wins; else derived, so that a stream that just ends has an answer, too. */
export function nextCommands(view: ViewState): readonly string[] {
  const said = view.summary?.next ?? [];
  return said.length > 0 ? said : nextSteps(view.run);
}

const PURPOSE: readonly (readonly [pattern: RegExp, purpose: string])[] = [
  [/ rollout status .*--host /, "why: what it logged"],
  [/ rollout retry /, "once the cause is gone: the failed hosts again"],
  [/ rollout promote /, "pass this gate"],
  [/ rollout abort /, "end it here; updated hosts stay"],
  [/ rollout undo /, "put back what it changed"],
  [/ rollout resume /, "go on"],
  [/ rollout$/, "with a fixed release"],
  [/ reconcile$/, "the hosts left for later"],
  [/ --continue/, "go on where it stopped"],
];

/** Why one would type it; empty where the command says so itself. */
export function purposeOf(command: string): string {
  return PURPOSE.find(([pattern]) => pattern.test(command))?.[1] ?? "";
}
