import { steeringCommand } from "../steer.ts";

export const command = steeringCommand({
  word: "resume",
  examples: ["macula-fleet rollout resume", "macula-fleet rollout resume r-7"],
});
