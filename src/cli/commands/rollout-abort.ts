import { steeringCommand } from "../steer.ts";

export const command = steeringCommand({
  word: "abort",
  examples: ["macula-fleet rollout abort", "macula-fleet rollout abort r-7"],
});
