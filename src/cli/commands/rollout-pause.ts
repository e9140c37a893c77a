import { steeringCommand } from "../steer.ts";

export const command = steeringCommand({
  word: "pause",
  examples: ["macula-fleet rollout pause", "macula-fleet rollout pause r-7"],
});
