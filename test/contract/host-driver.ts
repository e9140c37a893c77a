/**
 * What every `HostDriver` promises about a host, stated once and run on real OpenSSH, systemd and Nix as well as on
 * the simulator. Tests share one host and follow one another; each begins where the last one left the host.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toFailure } from "../../src/errors.ts";
import type { Activation, HostSecret } from "../../src/host/driver.ts";
import type { CheckConfig } from "../../src/inventory/model.ts";
import { Secret } from "../../src/kernel/secret.ts";
import {
  type Behaviour,
  CONFIRM_MS,
  type DriverSubject,
  refused,
  Steps,
  units,
} from "./host-driver-steps.ts";

export type { Behaviour, DriverSubject } from "./host-driver-steps.ts";

const signal = new AbortController().signal;

export function hostDriverContract(name: string, start: () => Promise<DriverSubject>): void {
  describe(`host driver: ${name}`, () => {
    let subject: DriverSubject;
    beforeAll(async () => {
      subject = await start();
    });
    afterAll(async () => subject?.[Symbol.asyncDispose]());

    const steps = new Steps(() => subject);
    const observe = (a?: Activation) => steps.observe(a);
    const begin = (behaviour: Behaviour, more?: Partial<Activation>) => steps.begin(behaviour, more);
    const activate = (a: Activation) => steps.activate(a);
    const commit = (a: Activation) => steps.commit(a);
    const revert = (a: Activation) => steps.revert(a);
    const check = (a: Activation, checks?: readonly CheckConfig[]) => steps.check(a, checks);
    const until = (a: Activation, phase: string) => steps.until(a, phase);

    it("sees a host at rest", async () => {
      const seen = await observe();
      expect(seen).toMatchObject({
        failedUnits: [],
        revertArmed: false,
        hold: null,
        lock: null,
        otherRuns: [],
      });
      expect([seen.booted, seen.profile, seen.bootDefault]).toEqual([
        seen.current,
        seen.current,
        seen.current,
      ]);
      expect(await subject.driver.generations(subject.host, { signal })).toMatchObject([
        { path: seen.current, current: true },
      ]);
    });

    it("copies what is missing, once", async () => {
      const a = { ...(await begin("good")), rollout: "r-stage" };
      const again = await subject.driver.stage(subject.host, a, { signal });
      expect(again).toEqual({ bytes: 0, paths: 0, rebootNeeded: false });
      expect((await observe(a)).closureValid).toBe(true);
      const unknown = { ...a, to: `/nix/store/${"0".repeat(32)}-nixos-system-nowhere` };
      expect((await observe(unknown)).closureValid).toBe(false);
      await refused(activate(unknown), "copy-failed");
      await subject.driver.release(subject.host, a, { signal });
    });

    it("takes secrets whole, says which are new to it, and obeys no lower fence", async () => {
      const path = "/var/lib/macula-fleet/secrets/k3s-token";
      const secret = (content: string) => ({ path, mode: 0o400, content: new Secret(content) });
      const psk = { path: `${path}-2`, mode: 0o640, content: new Secret("psk_0=it's \\n $HOME\n\n") };
      const deliver = (...secrets: HostSecret[]) => subject.driver.deliver(subject.host, secrets, { signal });
      expect(await deliver(secret("one"), psk)).toEqual([path, psk.path]);
      expect(await deliver(secret("one"), psk)).toEqual([]);
      expect(await deliver(secret("two"), psk)).toEqual([path]);
      await refused(deliver({ ...psk, path: "/var/lib/../../etc/shadow" }), "host-protocol");
      const a = await begin("good");
      await activate(a);
      await until(a, "activated");
      await revert(a);
      await until(a, "reverted");
      const late = subject.driver.deliver(subject.host, [secret("three")], { signal, fence: a.fence - 1 });
      await refused(late, "host-fenced");
      expect(await deliver(secret("two"))).toEqual([]);
      await subject.driver.release(subject.host, a, { signal });
    });

    it("activates, proves, commits; each step may be repeated", async () => {
      const a = await begin("good");
      await activate(a);
      await activate(a);
      const tried = await until(a, "activated");
      expect(tried).toMatchObject({ current: a.to, profile: a.from, bootDefault: a.from, revertArmed: true });
      expect(tried.state?.rc).toBe(0);
      expect(await check(a)).toEqual([{ ...units, status: "ok", message: expect.any(String) }]);
      await commit(a);
      await commit(a);
      await activate(a);
      expect(await observe(a)).toMatchObject({
        current: a.to,
        profile: a.to,
        bootDefault: a.to,
        revertArmed: false,
        revertIn: null,
        state: { phase: "committed", rollout: a.rollout, attempt: 1, fence: a.fence },
      });
      const generations = await subject.driver.generations(subject.host, { signal });
      expect(generations.at(-1)).toMatchObject({ path: a.to, current: true });
      await subject.powerCycle();
      expect(await observe(a)).toMatchObject({ current: a.to, booted: a.to });
      await subject.driver.release(subject.host, a, { signal });
    });

    it("is back on the old system after a power cut before the commit", async () => {
      const a = await begin("good", { confirmTimeoutMs: 120_000 });
      await activate(a);
      const before = await until(a, "activated");
      await subject.powerCycle();
      const after = await observe(a);
      expect(after).toMatchObject({ current: a.from, booted: a.from, profile: a.from, revertArmed: false });
      expect(after.bootId).not.toBe(before.bootId);
      await refused(commit(a), "plan-stale");
      await refused(
        subject.driver.activate(subject.host, { ...a, fence: a.fence - 1 }, { signal }),
        "host-fenced",
      );
    });

    it("goes back at once when the activation fails, and says why", async () => {
      const a = await begin("activation-fails", { confirmTimeoutMs: 120_000 });
      await activate(a);
      const seen = await until(a, "reverted");
      expect(seen).toMatchObject({ current: a.from, profile: a.from, revertArmed: false });
      expect(seen.state).toMatchObject({ rc: 2, reason: "activation" });
      const evidence = await subject.driver.evidence(subject.host, a, { signal });
      expect(evidence.log.join("\n")).toContain("exit 2");
      await refused(commit(a), "activation-failed");
    });

    it("goes back when a unit fails that had not failed before", async () => {
      const a = await begin("unit-fails", { confirmTimeoutMs: 120_000 });
      await activate(a);
      const seen = await until(a, "reverted");
      expect(seen).toMatchObject({ current: a.from, failedUnits: [] });
      expect(seen.state).toMatchObject({ rc: 4, reason: "activation" });
      const evidence = await subject.driver.evidence(subject.host, a, { signal });
      expect(evidence.failedUnits).toEqual([subject.unit]);
    });

    it("stays when the failed unit does not count", async () => {
      const a = await begin("unit-fails", { ignoreUnits: [subject.unit], confirmTimeoutMs: 20_000 });
      await activate(a);
      expect((await until(a, "activated")).state?.rc).toBe(4);
      expect(await check(a)).toMatchObject([{ status: "failed" }]);
      expect(await check(a, [{ ...units, ignore: [subject.unit] }])).toMatchObject([{ status: "ok" }]);
      await revert(a);
      expect(await until(a, "reverted")).toMatchObject({ current: a.from, state: { reason: "operator" } });
    });

    it("reverts itself when contact is lost", async () => {
      const a = await begin("good");
      await activate(a);
      await until(a, "activated");
      await subject.cutNetwork();
      const seen = await until(a, "reverted");
      expect(seen).toMatchObject({ current: a.from, profile: a.from, state: { reason: "timeout" } });
    });

    it("reverts itself when the new system has no network", async () => {
      const a = await begin("cuts-network");
      await activate(a);
      expect(await until(a, "reverted")).toMatchObject({ current: a.from, state: { reason: "timeout" } });
    });

    it("does not revert while it is being checked", async () => {
      const a = await begin("good");
      await activate(a);
      await until(a, "activated");
      const end = Date.now() + CONFIRM_MS * 2;
      while (Date.now() < end) {
        await check(a, []);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      expect(await observe(a)).toMatchObject({ current: a.to, state: { phase: "activated" } });
      await until(a, "reverted");
    });

    it("refuses a lower fence and a second run", async () => {
      const a = await begin("good", { confirmTimeoutMs: 60_000 });
      await activate(a);
      await until(a, "activated");
      await refused(activate({ ...a, rollout: "r-other", fence: a.fence + 1 }), "host-busy");
      await refused(activate({ ...a, attempt: 2 }), "host-busy");
      const stale = { ...a, fence: a.fence - 1 };
      await refused(commit(stale), "host-fenced");
      await refused(revert(stale), "host-fenced");
      await refused(check(stale), "host-fenced");
      expect(await observe({ ...a, rollout: "r-other" })).toMatchObject({
        otherRuns: [expect.stringContaining(a.rollout)],
        revertArmed: false,
      });
      await commit({ ...a, fence: ++steps.fence });
      expect((await observe(a)).state?.fence).toBe(steps.fence);
    });

    it("goes back on demand, before and after the commit", async () => {
      const a = await begin("good", { confirmTimeoutMs: 60_000 });
      await activate(a);
      await until(a, "activated");
      await revert(a);
      await revert(a);
      expect(await until(a, "reverted")).toMatchObject({ current: a.from, state: { reason: "operator" } });
      await revert(a);

      const b = await begin("good", { confirmTimeoutMs: 60_000 });
      await activate(b);
      await until(b, "activated");
      await commit(b);
      await revert(b);
      expect(await until(b, "reverted")).toMatchObject({
        current: b.from,
        profile: b.from,
        bootDefault: b.from,
      });
      await refused(commit(b), "activation-failed");
    });

    it("leaves a held or locked host alone", async () => {
      const a = await begin("good");
      await subject.driver.hold(subject.host, { by: "ada", reason: 'it\'s being "repaired"' }, { signal });
      await refused(activate(a), "host-held");
      expect((await observe()).hold).toEqual({ by: "ada", reason: 'it\'s being "repaired"', until: 0 });
      await subject.driver.unhold(subject.host, { signal });
      await subject.driver.lock(subject.host, { by: "ada", reason: "mine" }, { signal });
      await refused(
        subject.driver.lock(subject.host, { by: "bob", reason: "no, mine" }, { signal }),
        "host-held",
      );
      await refused(activate(a), "host-held");
      await subject.driver.unlock(subject.host, { signal });
      expect(await observe()).toMatchObject({ current: a.from, hold: null, lock: null });
    });

    it("asks the host's owner before anything changes, and never on the way back", async () => {
      const a = await begin("good", { confirmTimeoutMs: 60_000 });
      const before = await observe(a);
      const closes = Math.floor(Date.now() / 1000) + 3600;
      const failed = async (more: Partial<Activation> = {}) =>
        activate({ ...a, ...more }).then(
          () => "no error",
          (error: unknown) => toFailure(error),
        );
      await subject.ownerSays({ reason: "the shop is open", until: closes });
      const refusal = await failed();
      expect(refusal).toMatchObject({
        code: "host-not-now",
        transient: true,
        message: expect.stringMatching(
          /: not now: the shop is open \(50-owner\), until \d{4}-\d\d-\d\d \d\d:\d\d \S+$/,
        ),
        hint: expect.stringContaining("--ignore-consent"),
      });
      const askAgainMs = typeof refusal === "object" ? (refusal.askAgainMs ?? 0) : 0;
      expect(Math.abs(askAgainMs - 3_600_000)).toBeLessThan(60_000);
      await subject.ownerSays({ reason: "the shop is open", until: 0 });
      expect(await failed()).not.toHaveProperty("askAgainMs");
      await subject.ownerSays({ reason: "out of paper", until: 0, broken: true });
      expect(await failed()).toMatchObject({
        code: "host-not-now",
        message: expect.stringContaining("its owner's program 50-owner failed (exit 1): out of paper"),
      });
      // Not a trace of it: no record, no timer, no other system.
      const seen = await observe(a);
      expect([seen.current, seen.state, seen.revertArmed]).toEqual([before.current, before.state, false]);

      // The same attempt, once nobody objects; whoever objects then is not asked any more.
      await subject.ownerSays(null);
      await activate(a);
      await subject.ownerSays({ reason: "the shop is open", until: 0 });
      await until(a, "activated");
      await activate(a);
      await commit(a);
      await revert(a);
      expect(await until(a, "reverted")).toMatchObject({ current: a.from, profile: a.from });

      const b = await begin("good", { confirmTimeoutMs: 60_000, ignoreConsent: true });
      await activate(b);
      await until(b, "activated");
      await revert(b);
      await until(b, "reverted");
      await subject.ownerSays(null);
    });

    it("refuses a host that has moved", async () => {
      const a = await begin("good");
      await refused(activate({ ...a, from: a.to, to: a.from }), "plan-stale");
      expect((await observe()).current).toBe(a.from);
    });

    it("reboots into a system that needs it, once, and commits it", async () => {
      const a = await begin("needs-reboot", { confirmTimeoutMs: 20_000 });
      const before = await observe();
      await activate(a);
      const seen = await until(a, "activated");
      expect(seen).toMatchObject({ current: a.to, booted: a.to, bootDefault: a.from, revertArmed: true });
      expect(seen.bootId).not.toBe(before.bootId);
      await check(a);
      await commit(a);
      await subject.powerCycle();
      expect(await observe(a)).toMatchObject({ current: a.to, profile: a.to, bootDefault: a.to });
    });

    it("comes back on the old system when nobody confirms a reboot", async () => {
      const a = await begin("good", { mode: "boot" });
      await activate(a);
      await until(a, "activated");
      const seen = await until(a, "reverted");
      expect(seen).toMatchObject({ current: a.from, booted: a.from, state: { reason: "timeout" } });
    });

    it("comes back on the old system when the new one does not boot", async () => {
      const a = await begin("no-boot");
      await activate(a);
      expect(await until(a, "reverted")).toMatchObject({ current: a.from, state: { reason: "boot" } });
    });

    it("does not reboot when it must not", async () => {
      const a = await begin("needs-reboot", { mayReboot: false });
      const before = await observe();
      await activate(a);
      const seen = await until(a, "reverted");
      expect(seen).toMatchObject({ current: a.from, bootId: before.bootId, state: { rc: 100 } });
    });

    it("collects garbage, but not what a rollback would go to", async () => {
      const a = await begin("good", { confirmTimeoutMs: 60_000 });
      await activate(a);
      await until(a, "activated");
      await refused(subject.driver.gc(subject.host, { signal, keep: 1 }), "host-busy");
      await commit(a);
      await subject.driver.release(subject.host, a, { signal });
      await subject.driver.gc(subject.host, { signal, keep: 1 });
      expect(await observe({ ...a, to: a.from })).toMatchObject({ closureValid: true });
      await revert(a);
      expect(await until(a, "reverted")).toMatchObject({ current: a.from, profile: a.from });
    });
  });
}
