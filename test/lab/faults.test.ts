/** Every fault of contract §8, as the product meets it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import type { Activation } from "../../src/host/driver.ts";
import { FAULT_KINDS, labFault, labPowerCycle } from "../../src/lab/index.ts";
import { units } from "../contract/host-driver-steps.ts";
import { labInProcess, type TestLab, waitFor } from "./support/lab.ts";

const signal = new AbortController().signal;
let test: TestLab;
let runs = 0;
beforeAll(async () => {
  test = await labInProcess({ hosts: 1 });
});
afterAll(() => test[Symbol.asyncDispose]());
beforeEach(async () => {
  await labFault(test.dir, "node-01", "none");
});

const host = () => test.host("node-01");
const fault = (kind: string) => labFault(test.dir, "node-01", kind);
const observe = (activation?: Activation) =>
  test.driver.observe(host(), { signal, fresh: true, ...(activation ? { activation } : {}) });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof FleetError ? error.code : String(error)),
  );

async function newActivation(): Promise<Activation> {
  const name = `f${++runs}`;
  const to = (await test.closures.build([host()], name, { signal })).get("node-01")?.toplevel ?? "";
  const from = (await observe()).current;
  return { rollout: `r-${name}`, attempt: 1, fence: runs, from, to, mode: "test", confirmTimeoutMs: 2000 };
}
async function start(): Promise<Activation> {
  const activation = await newActivation();
  await test.driver.stage(host(), activation, { signal });
  await test.driver.activate(host(), activation, { signal });
  return activation;
}
const ended = (a: Activation) =>
  waitFor("the end", async () => {
    const seen = await observe(a).catch(() => null);
    return seen && ["activated", "reverted"].includes(seen.state?.phase ?? "") ? seen : null;
  });

/** Nobody confirmed it: the next one may begin. */
const wentBack = (a: Activation) =>
  waitFor("the way back", async () => {
    const seen = await observe(a);
    return seen.state?.phase === "reverted" && !seen.revertArmed;
  });

describe("lab fault", () => {
  it("unreachable: nobody gets in until it is cleared", async () => {
    expect(await fault("unreachable")).toMatchObject({ reachable: false, faults: ["unreachable"] });
    expect(await codeOf(observe())).toBe("unreachable");
    await fault("none");
    expect((await observe()).hostname).toBe("node-01");
  });

  it("wrong-host-key: the product stops hard", async () => {
    await fault("wrong-host-key");
    expect(await codeOf(observe())).toBe("host-key-changed");
    await fault("none");
    expect((await observe()).hostname).toBe("node-01");
  });

  it("no-consent: nothing is activated, and it says why", async () => {
    await fault("no-consent");
    const a = await newActivation();
    await test.driver.stage(host(), a, { signal });
    const refusal = await test.driver.activate(host(), a, { signal }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "host-not-now",
      message: "node-01: not now: lab fault (50-owner)",
    });
    expect((await observe(a)).current).toBe(a.from);
    await fault("none");
    await test.driver.activate(host(), a, { signal });
    expect((await ended(a)).current).toBe(a.to);
    await wentBack(a);
  });

  it("bad-health: the host reverts itself and says which unit failed", async () => {
    await fault("bad-health");
    const a = await start();
    expect(await ended(a)).toMatchObject({ current: a.from, state: { phase: "reverted", rc: 4 } });
    const evidence = await test.driver.evidence(host(), a, { signal });
    expect(evidence.failedUnits).toEqual(["macula-node.service"]);
  });

  it("not-ready: every check says not now, and what was proved before does not count against it", async () => {
    const a = await start();
    await ended(a);
    const status = async () =>
      (await test.driver.check(host(), { signal, checks: [units], baselineFailed: [] })).map((r) => r.status);
    expect(await status()).toEqual(["ok"]);
    await fault("not-ready");
    expect(await status()).toEqual(["retry"]);
    await fault("none");
    expect(await status()).toEqual(["ok"]);
    // The host is as the next test wants it: nothing armed.
    await test.driver.revert(host(), a, "operator", { signal });
    await waitFor("the way back", async () => (await observe(a)).state?.phase === "reverted");
  });

  it("drop-on-activate: out of reach, then back on the old system", async () => {
    await fault("drop-on-activate");
    const a = await start();
    await waitFor("silence", async () => (await codeOf(observe(a))) === "unreachable");
    expect(await ended(a)).toMatchObject({
      current: a.from,
      state: { phase: "reverted", reason: "timeout" },
    });
  });

  it("disk-full: nothing can be copied", async () => {
    await fault("disk-full");
    expect((await observe()).disk.storeFree).toBe(0);
    const a = await newActivation();
    expect(await codeOf(test.driver.stage(host(), a, { signal }))).toBe("host-disk-full");
    await fault("none");
    expect((await test.driver.stage(host(), a, { signal })).paths).toBeGreaterThan(0);
  });

  it("no-boot: the boot hangs, the watchdog brings the old system back", async () => {
    await fault("no-boot");
    const a = await start();
    expect(await ended(a)).toMatchObject({
      current: a.from,
      booted: a.from,
      state: { phase: "reverted", reason: "boot" },
    });
  });

  it("slow: a second late, but right", async () => {
    await fault("slow");
    const begin = performance.now();
    expect((await observe()).hostname).toBe("node-01");
    expect(performance.now() - begin).toBeGreaterThan(1000);
  });

  it("hang: connects and never answers", async () => {
    await fault("hang");
    const { hostCommands } = await import("../../src/host/commands.ts");
    const { targetOf } = await import("../../src/inventory/target.ts");
    await using session = await test.transport.open(targetOf(host(), test.inventory), { signal });
    const asked = session.run(hostCommands.probe("root"), { signal, timeoutMs: 500 });
    expect(await codeOf(asked)).toBe("command-timeout");
  });

  it("adds up, and each can be cleared alone", async () => {
    for (const kind of FAULT_KINDS) await fault(kind);
    const left = await labFault(test.dir, "node-01", "hang", { clear: true });
    expect(left.faults).toEqual(FAULT_KINDS.filter((k) => k !== "hang"));
    expect((await fault("none")).faults).toEqual([]);
  });

  it("explains what it does not know", async () => {
    await expect(fault("unreachabel")).rejects.toThrow(/did you mean unreachable\?/);
    await expect(labFault(test.dir, "node-1", "slow")).rejects.toThrow(/did you mean node-01\?/);
  });

  it("goes with a power cycle only as far as a real one would", async () => {
    const before = await observe();
    await labPowerCycle(test.dir, "node-01");
    const after = await waitFor("the host", () => observe().catch(() => null));
    expect(after.bootId).not.toBe(before.bootId);
    expect(after.current).toBe(before.current);
  });
});
