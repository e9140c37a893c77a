import { steeringCommand } from "../steer.ts";

export const command = steeringCommand({
  word: "retry",
  examples: ["macula-fleet rollout retry", "macula-fleet rollout retry r-7 --limit node-03"],
});
