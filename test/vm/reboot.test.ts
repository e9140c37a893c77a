/** What only a machine with its own kernel and boot loader shows: one-shot boots, boots that fail, power cuts. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import type { Activation } from "../../src/host/driver.ts";
import type { Observation } from "../../src/host/protocol.ts";
import type { ReleaseFault } from "../../src/lab/docker/flake-release.ts";
import { onVirtualMachine } from "./available.ts";
import type { Loader } from "./sectors.ts";
import { type VmSubject, vmSubject } from "./subject.ts";

/** A boot takes about a minute of an idle processor. */
const PATIENCE_MS = 600_000;
const CONFIRM_MS = 300_000;

const LOADERS: readonly Loader[] = ["grub", "systemd-boot"];

for (const loader of LOADERS) {
  onVirtualMachine(`a virtual machine with ${loader}`, () => {
    const stop = new AbortController();
    let subject: VmSubject;
    let run = 0;
    beforeAll(async () => {
      subject = await vmSubject(loader, stop.signal);
    });
    afterAll(async () => {
      stop.abort();
      await subject?.[Symbol.asyncDispose]();
    });
    afterEach(async (context) => {
      if (context.task.result?.state !== "fail" || subject === undefined) return;
      console.error(
        `serial console of the machine, last lines:\n${(await subject.machine.serial()).slice(-6000)}`,
      );
    });

    const { signal } = stop;
    const since = (start: number) => `${((performance.now() - start) / 1000).toFixed(0)} s`;
    const say = (text: string) => console.info(`  measured: ${text}`);

    /** Asks until what is seen is as wanted; a machine that is away is asked again. */
    async function until(
      wanted: (seen: Observation) => boolean,
      activation?: Activation,
    ): Promise<Observation> {
      let last = "never reached";
      for (const end = performance.now() + PATIENCE_MS; performance.now() < end; ) {
        try {
          const about = activation === undefined ? {} : { activation };
          const seen = await subject.driver.observe(subject.host, { signal, fresh: true, ...about });
          last = `${JSON.stringify(seen.state)} on ${seen.current}, boot ${seen.bootId}`;
          if (wanted(seen)) return seen;
        } catch (error) {
          if (!(error instanceof FleetError) || !error.transient) throw error;
          last = error.message;
        }
        await new Promise((resolve) => setTimeout(resolve, 3000));
      }
      throw new Error(`waited in vain; last: ${last}`);
    }
    const phase = (name: string) => (seen: Observation) => seen.state?.phase === name;
    const rebooted = (before: Observation) => (seen: Observation) => seen.bootId !== before.bootId;
    const observe = (a?: Activation) => until(() => true, a);

    async function begin(fault: ReleaseFault, mode: Activation["mode"]): Promise<[Activation, Observation]> {
      const before = await observe();
      const to = await subject.make(fault);
      const [rollout, from] = [`vm-${++run}`, before.current];
      const a: Activation = { rollout, attempt: 1, fence: run, from, to, mode, confirmTimeoutMs: CONFIRM_MS };
      await subject.driver.stage(subject.host, a, { signal });
      return [a, before];
    }
    const activate = (a: Activation) => subject.driver.activate(subject.host, a, { signal });

    it("is seen as what it is", async () => {
      const start = performance.now();
      const seen = await observe();
      say(`first boot until ssh answers: ${since(start)}`);
      expect(seen).toMatchObject({ loader, failedUnits: [], rebootPending: false, foreign: [] });
      expect([seen.booted, seen.profile, seen.bootDefault]).toEqual([
        seen.current,
        seen.current,
        seen.current,
      ]);
      expect(await subject.ssh("cat /proc/cmdline")).toContain(`init=${seen.current}/init`);
    });

    it("boots a new kernel once, is confirmed, and boots it from then on", async () => {
      const [a, before] = await begin({ kernelChanges: true }, "boot");
      const start = performance.now();
      await activate(a);
      const tried = await until(phase("activated"), a);
      say(`activation by reboot until the new system answers: ${since(start)}`);
      expect(tried).toMatchObject({ current: a.to, booted: a.to, bootDefault: a.from, profile: a.from });
      expect(tried).toMatchObject({ revertArmed: true, rebootPending: false, foreign: [] });
      expect(tried.bootId).not.toBe(before.bootId);
      expect(await subject.ssh("cat /proc/cmdline")).toContain(`init=${a.to}/init`);
      const checks = [{ name: "units", type: "systemd" }] as const;
      expect(
        await subject.driver.check(subject.host, { signal, activation: a, checks, baselineFailed: [] }),
      ).toMatchObject([{ status: "ok" }]);
      await subject.driver.commit(subject.host, a, { signal });
      expect(await observe(a)).toMatchObject({ profile: a.to, bootDefault: a.to, revertArmed: false });

      await subject.driver.reboot(subject.host, { signal });
      const after = await until(rebooted(tried), a);
      expect(after).toMatchObject({ current: a.to, booted: a.to, state: { phase: "committed" } });
      await subject.driver.release(subject.host, a, { signal });
    });

    it("is back on the old system after a panic of the new one", async () => {
      const [a, before] = await begin({ noBoot: true, kernelParams: ["panic=5"] }, "boot");
      const start = performance.now();
      await activate(a);
      const seen = await until(phase("reverted"), a);
      say(`activation by reboot, panic, back on the old system: ${since(start)}`);
      expect(seen).toMatchObject({ current: a.from, booted: a.from, bootDefault: a.from, profile: a.from });
      expect(seen).toMatchObject({ revertArmed: false, state: { reason: "boot" } });
      expect(seen.bootId).not.toBe(before.bootId);
      expect(await subject.machine.serial()).toContain("Kernel panic - not syncing: Attempted to kill init!");
    });

    it("is back on the old system when the new one hangs and a watchdog resets the machine", async () => {
      const [a] = await begin({ bootHangs: true }, "boot");
      await activate(a);
      const start = performance.now();
      while (!(await subject.machine.serial()).includes("this release never gets any further")) {
        if (performance.now() - start > PATIENCE_MS) throw new Error("the new system was not even started");
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      const reset = performance.now();
      await subject.machine.reset();
      const seen = await until(phase("reverted"), a);
      say(`reset of a hanging boot until the old system answers: ${since(reset)}`);
      expect(seen).toMatchObject({ current: a.from, booted: a.from, bootDefault: a.from });
      expect(seen.state).toMatchObject({ reason: "boot" });
    });

    it("comes back on the old system when the power fails before the commit", async () => {
      const [a] = await begin({}, "test");
      await activate(a);
      const tried = await until(phase("activated"), a);
      expect(tried).toMatchObject({ current: a.to, booted: a.from, bootDefault: a.from });
      const cut = performance.now();
      subject.machine.powerCycle();
      const after = await until(rebooted(tried), a);
      say(`power cut until the old system answers: ${since(cut)}`);
      expect(after).toMatchObject({ current: a.from, booted: a.from, profile: a.from, revertArmed: false });
      expect(after.state?.bootId).toBe(tried.bootId);
    });

    it("goes back by a reboot when nobody confirms the new kernel", async () => {
      const [begun] = await begin({ kernelChanges: true }, "boot");
      const a: Activation = { ...begun, confirmTimeoutMs: 20_000 };
      await activate(a);
      const tried = await until(phase("activated"), a);
      const start = performance.now();
      const seen = await until(phase("reverted"), a);
      say(`unconfirmed, confirm timeout of 20 s, until the old system answers: ${since(start)}`);
      expect(seen).toMatchObject({ current: a.from, booted: a.from, state: { reason: "timeout" } });
      expect(seen.bootId).not.toBe(tried.bootId);
    });
  });
}
