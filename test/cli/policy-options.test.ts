import { describe, expect, test } from "vitest";
import { overridePolicy, PolicyOptions } from "../../src/cli/policy-options.ts";
import { FleetError } from "../../src/errors.ts";
import { aHost, anInventory } from "../support/fleet.ts";

const inventory = anInventory([aHost("node-01"), aHost("node-02"), aHost("node-03")]);
const override = (options: Record<string, unknown>) =>
  overridePolicy(inventory, PolicyOptions.parse(options));
const refusal = (options: Record<string, unknown>): FleetError => {
  try {
    override(options);
  } catch (error) {
    if (error instanceof FleetError) return error;
  }
  throw new Error("was not refused");
};

describe("flags of a rollout", () => {
  test.each<[Record<string, unknown>, RegExp]>([
    [{ waves: "50%,10%,100%" }, /waves must grow: 10% is not more than 50%/],
    [{ waves: "10%,50%" }, /waves must end at 100%/],
    [{ maxUnavailable: "0" }, /maxUnavailable is 0/],
    [{ maxParallel: "0" }, /maxParallel 0 would never start a host/],
    [
      { minHealthyTime: "10m", healthyDeadline: "5m" },
      /healthyDeadline \(5m\) must be longer than minHealthyTime/,
    ],
    [{ confirmTimeout: "0s" }, /confirmTimeout 0s/],
  ])("%j is refused as in the inventory", (options, message) => {
    const error = refusal(options);
    expect(error.code).toBe("policy-invalid");
    expect(error.message).toMatch(message);
  });

  test("every contradiction is told at once", () => {
    expect(refusal({ waves: "10%,50%", confirmTimeout: "0s" }).message.split("; ")).toHaveLength(2);
  });

  test("a preference nobody meets is no error; a canary nobody is, is one", () => {
    const policy = { ...inventory.policy, canary: { ...inventory.policy.canary, prefer: ["tag=spare"] } };
    const { prefer } = overridePolicy({ ...inventory, policy }, PolicyOptions.parse({}));
    expect(inventory.hosts.filter((h) => prefer?.(h))).toEqual([]);
    expect(refusal({ canary: "tag=spare" }).code).toBe("limit-no-match");
  });

  test("--canary with a pattern means exactly those hosts", () => {
    const { canaryFrom, inventory: next } = override({ canary: "node-02,node-03" });
    expect(next.hosts.filter((h) => canaryFrom?.(h)).map((h) => h.name)).toEqual(["node-02", "node-03"]);
    expect(next.policy.canary.count).toEqual({ kind: "count", n: 2 });
  });
});
