import { steeringCommand } from "../steer.ts";

export const command = steeringCommand({
  word: "promote",
  options: [
    ["--full", "pass every remaining gate and soak (guards stay, and every host is seen healthy first)"],
    ["--to-wave <n>", "pass the gates and soaks before this wave"],
  ],
  examples: ["macula-fleet rollout promote", "macula-fleet rollout promote r-7 --full"],
});
