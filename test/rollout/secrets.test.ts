/** What a host must have besides its system is there before it is activated; a way back needs none of it. */
import { expect, test } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { Secret } from "../../src/kernel/secret.ts";
import type { Effect } from "../../src/rollout/effects.ts";
import { type Performer, perform } from "../../src/rollout/perform.ts";
import { FakeFleet } from "../support/fake-driver.ts";
import { aHost, anInventory, aPlan, system } from "../support/fleet.ts";
import { aRun, host } from "../support/run.ts";

const inventory = anInventory([aHost("a")]);
const token = { path: "/x/token", mode: 0o400, content: new Secret("t") };
const stage = { kind: "stage", host: "a" } as Effect;

function setup(secrets: Performer["secrets"], kind: "rollout" | "undo" | "rollback" = "rollout") {
  const fleet = new FakeFleet();
  fleet.add("a", system("a", "r1"));
  const performer: Performer = {
    driver: fleet,
    hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
    checks: () => [],
    ...(secrets ? { secrets } : {}),
  };
  const state = aRun({ ...aPlan(inventory), kind }, host("a", "staging", { previous: system("a", "r1") }));
  return { fleet, staged: perform(performer, state, stage, 1, new AbortController().signal) };
}

test("are delivered once the system is there", async () => {
  const { fleet, staged } = setup(async () => [token]);
  expect(await staged).toMatchObject({ ok: true });
  expect(fleet.calls).toEqual(["stage a", "deliver a"]);
  expect(fleet.delivered.get("a")).toEqual({ "/x/token": "t" });
});

test("that cannot be had end the staging before anything is sent", async () => {
  const { fleet, staged } = setup(async () => {
    throw new FleetError("secret-unavailable", "no");
  });
  expect(await staged).toMatchObject({
    ok: false,
    failure: { code: "secret-unavailable", transient: false },
  });
  expect(fleet.calls).toEqual([]);
});

test("cost a host that wants none nothing", async () => {
  const { fleet, staged } = setup(async () => []);
  expect(await staged).toMatchObject({ ok: true });
  expect(fleet.calls).toEqual(["stage a"]);
});

test.each(["undo", "rollback"] as const)("are not read for a way back: %s", async (kind) => {
  const { fleet, staged } = setup(async () => {
    throw new Error("read");
  }, kind);
  expect(await staged).toMatchObject({ ok: true });
  expect(fleet.calls).toEqual(["stage a"]);
});
