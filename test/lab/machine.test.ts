import { describe, expect, it } from "vitest";
import { Evidence, HostFacts, Observation } from "../../src/host/protocol.ts";
import { tick } from "../../src/lab/machine/clock.ts";
import type { Machine } from "../../src/lab/machine/model.ts";
import { profilePath } from "../../src/lab/machine/model.ts";
import { cutPower, networkUp, powerOn } from "../../src/lab/machine/power.ts";
import type { Behaviour } from "../../src/lab/machine/system.ts";
import { activation, call, newHost, pathOf, receive, settle, system, T0 } from "./support/machines.ts";

const r1 = pathOf("r1");

/** A host that has been told to activate r2 and has finished doing so, at T0 + 400. */
function activated(
  behaviour: Behaviour = "good",
  extra: Readonly<Record<string, string | number>> = {},
): Machine {
  const staged = receive(newHost(), system("r2", behaviour));
  const begun = call(staged, "activate", activation(pathOf("r2", behaviour), extra), T0);
  expect(begun).toMatchObject({ exit: 0, stdout: '{"schema":1,"did":"started"}\n' });
  return tick(begun.machine, T0 + 400);
}

const probe = (m: Machine, now: number, p: Readonly<Record<string, string>> = { RUN: "run-1" }) =>
  Observation.parse(JSON.parse(call(m, "probe", p, now).stdout));

describe("a lab host that activates", () => {
  it("runs the new system while profile and boot default stay", () => {
    const m = activated();
    expect(probe(m, T0 + 400)).toMatchObject({
      current: pathOf("r2"),
      booted: r1,
      profile: r1,
      bootDefault: r1,
      revertArmed: true,
      revertIn: 5,
      state: { phase: "activated", rc: 0, rollout: "run-1" },
    });
  });

  it("goes back by itself when nobody confirms", () => {
    expect(probe(tick(activated(), T0 + 5400), T0 + 5400)).toMatchObject({
      current: r1,
      revertArmed: false,
      state: { phase: "reverted", reason: "timeout" },
    });
  });

  it("waits longer after each check", () => {
    const checked = call(activated(), "check", { RUN: "run-1", FENCE: 1, CHECK_COUNT: 0 }, T0 + 4000).machine;
    expect(probe(tick(checked, T0 + 8900), T0 + 8900).current).toBe(pathOf("r2"));
    expect(probe(tick(checked, T0 + 9400), T0 + 9400).current).toBe(r1);
  });

  it("keeps the new system once it was committed, across a power cut", () => {
    const committed = call(activated(), "commit", activation(pathOf("r2")), T0 + 500);
    expect(committed.stdout).toContain("committed");
    const restarted = settle(powerOn(cutPower(committed.machine), T0 + 600));
    expect(probe(restarted, T0 + 9000)).toMatchObject({
      current: pathOf("r2"),
      booted: pathOf("r2"),
      profile: pathOf("r2"),
      generation: 2,
    });
  });

  it("is the old one after a power cut before the commit", () => {
    const restarted = settle(powerOn(cutPower(activated()), T0 + 600));
    const seen = probe(restarted, T0 + 9000);
    expect(seen).toMatchObject({ current: r1, booted: r1, state: { phase: "activated" } });
    expect(seen.bootId).not.toBe(seen.state?.bootId);
  });

  it("reverts at once when a unit fails, and keeps the evidence", () => {
    const m = settle(activated("bad-health"));
    expect(probe(m, T0 + 9000)).toMatchObject({
      current: r1,
      failedUnits: [],
      state: { phase: "reverted", reason: "activation", rc: 4 },
    });
    const evidence = Evidence.parse(
      JSON.parse(call(m, "evidence", activation(pathOf("r2", "bad-health")), T0 + 9000).stdout),
    );
    expect(evidence.failedUnits).toEqual(["macula-node.service"]);
    expect(evidence.journal.join()).toContain("exit-code");
    expect(evidence.closureDiff).toContain("macula-node-r2: added");
  });

  it("lets a unit fail that does not matter", () => {
    const m = activated("bad-health", { IGNORE_UNITS: "macula-node.service" });
    expect(probe(m, T0 + 400).state).toMatchObject({ phase: "activated", rc: 4 });
  });

  it("goes back when the activation script fails", () => {
    expect(probe(settle(activated("activation-fails")), T0 + 9000)).toMatchObject({
      current: r1,
      state: { phase: "reverted", reason: "activation", rc: 2 },
    });
  });

  it("boots once into a system that cannot be switched to, and goes back without a commit", () => {
    const path = pathOf("r2", "needs-reboot");
    const up = tick(activated("needs-reboot"), T0 + 2500);
    expect(probe(up, T0 + 2500)).toMatchObject({
      current: path,
      booted: path,
      bootDefault: r1,
      revertArmed: true,
      state: { phase: "activated", mode: "boot", rc: 0 },
    });
    expect(probe(settle(up), T0 + 60_000)).toMatchObject({
      current: r1,
      booted: r1,
      state: { phase: "reverted", reason: "timeout" },
    });
    const committed = call(up, "commit", activation(path), T0 + 2600).machine;
    expect(probe(settle(committed), T0 + 60_000)).toMatchObject({
      current: path,
      profile: path,
      bootDefault: path,
    });
  });

  it("does not reboot when that is not allowed", () => {
    const m = settle(activated("needs-reboot", { MAY_REBOOT: "" }));
    expect(probe(m, T0 + 9000)).toMatchObject({
      booted: r1,
      state: { phase: "reverted", reason: "activation" },
    });
    expect(m.boots).toBe(1);
  });

  it("is brought back by the watchdog from a boot that hangs", () => {
    const staged = receive(newHost(), system("r2", "no-boot"));
    const begun = call(staged, "activate", activation(pathOf("r2", "no-boot"), { MODE: "boot" }), T0).machine;
    expect(tick(begun, T0 + 1000).power.kind).toBe("hung");
    expect(probe(settle(begun), T0 + 60_000)).toMatchObject({
      current: r1,
      state: { phase: "reverted", reason: "boot" },
    });
  });

  it("cannot be reached while it runs a system that cuts the network", () => {
    const m = activated("cuts-network");
    expect(networkUp(m)).toBe(false);
    expect(networkUp(settle(m))).toBe(true);
    expect(settle(m).memory?.current).toBe(r1);
  });

  it("goes back when asked, also after a commit", () => {
    const committed = call(activated(), "commit", activation(pathOf("r2")), T0 + 500).machine;
    const reverting = call(committed, "revert", activation(pathOf("r2"), { REASON: "operator" }), T0 + 600);
    expect(probe(settle(reverting.machine), T0 + 9000)).toMatchObject({
      current: r1,
      profile: r1,
      bootDefault: r1,
      state: { phase: "reverted", reason: "operator" },
    });
  });
});

describe("a lab host refuses", () => {
  const staged = () => receive(newHost(), system("r2"));
  const to = pathOf("r2");

  it.each([
    ["a lower fence", { FENCE: 0 }, 41],
    ["nonsense", { ATTEMPT: "one" }, 40],
    ["another run meanwhile", { RUN: "run-2" }, 42],
  ])("%s", (_what, extra, exit) => {
    const begun = call(staged(), "activate", activation(to), T0).machine;
    const refused = call(begun, "activate", activation(to, extra), T0 + 10);
    expect(refused).toMatchObject({ exit, stderr: expect.stringMatching(/^macula-fleet: /) });
    expect(refused.machine.disk).toEqual(begun.disk);
  });

  it.each([
    ["to start where it is not", { FROM: to }, 44],
    ["what it does not have", { TO: pathOf("r9") }, 45],
  ])("%s", (_what, extra, exit) => {
    const refused = call(staged(), "activate", activation(to, extra), T0);
    expect(refused).toMatchObject({ exit, stderr: expect.stringMatching(/^macula-fleet: /) });
    expect(refused.machine).toEqual(staged());
  });

  it("an activation while it is held or locked", () => {
    const held = call(
      staged(),
      "note",
      { KIND: "hold", ACTION: "set", BY: "ann", REASON: "disk swap" },
      T0,
    ).machine;
    expect(call(held, "activate", activation(to), T0)).toMatchObject({
      exit: 43,
      stderr: expect.stringMatching(/ann: disk swap/),
    });
    expect(probe(held, T0).hold).toEqual({ by: "ann", reason: "disk swap", until: 0 });
    const free = call(held, "note", { KIND: "hold", ACTION: "clear" }, T0).machine;
    expect(call(free, "activate", activation(to), T0).exit).toBe(0);
  });

  it("neither once a hold has ended by itself", () => {
    const until = {
      KIND: "hold",
      ACTION: "set",
      BY: "ann",
      REASON: "mains work",
      UNTIL: `${T0 / 1000 + 60}`,
    };
    const held = call(staged(), "note", until, T0).machine;
    expect(probe(held, T0 + 59_000).hold).toMatchObject({ by: "ann" });
    expect(call(held, "activate", activation(to), T0 + 59_000).exit).toBe(43);
    expect(probe(held, T0 + 60_000).hold).toBeNull();
    expect(call(held, "activate", activation(to), T0 + 60_000).exit).toBe(0);
  });

  it("to commit what it left", () => {
    const m = settle(activated());
    expect(call(m, "commit", activation(to), T0 + 60_000).exit).toBe(49);
  });

  it("to commit before the activation has ended", () => {
    const begun = call(staged(), "activate", activation(to), T0).machine;
    expect(call(begun, "commit", activation(to), T0 + 100).exit).toBe(42);
  });
});

describe("the store of a lab host", () => {
  it("says what it lacks and what room it has", () => {
    const answer = JSON.parse(call(newHost(), "missing", { PATHS: `${r1}\n${pathOf("r2")}` }, T0).stdout);
    expect(answer.missing).toEqual([pathOf("r2")]);
    expect(answer.storeFree).toBeGreaterThan(1_000_000);
  });

  it("collects what nothing refers to, and only that", () => {
    const m = receive(newHost(), system("r2"));
    const gone = call(m, "gc", { KEEP: 1 }, T0).machine;
    expect(gone.disk.store[pathOf("r2")]).toBeUndefined();
    expect(gone.disk.store[r1]).toBeDefined();
    const rooted = call(m, "stage", { RUN: "run-1", FENCE: 1, TO: pathOf("r2"), FROM: r1 }, T0).machine;
    expect(call(rooted, "gc", { KEEP: 1 }, T0).machine.disk.store[pathOf("r2")]).toBeDefined();
  });

  it("is full when it is", () => {
    const full: Machine = { ...newHost(), faults: ["disk-full"] };
    expect(() => receive(full, system("r2"))).toThrow(/No space left on device/);
  });
});

it("answers facts as the protocol has them, and says that it is a lab", () => {
  const facts = HostFacts.parse(JSON.parse(call(newHost(), "facts", {}, T0).stdout));
  expect(facts.model).toContain("lab");
  expect(facts.os.version).toContain("lab");
  expect(profilePath(newHost().disk)).toBe(r1);
});
