import { steeringCommand } from "../steer.ts";

export const command = steeringCommand({
  word: "promote",
  options: [
    ["--full", "pass every remaining gate (quorum guards stay)"],
    ["--to-wave <n>", "pass the gates up to this wave"],
  ],
  examples: ["macula-fleet rollout promote", "macula-fleet rollout promote r-7 --full"],
});
