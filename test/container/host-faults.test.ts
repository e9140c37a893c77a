/** What only real machines show: sshd that dies, controllers that vanish, activations that hang, full disks. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ErrorCode, FleetError } from "../../src/errors.ts";
import type { Activation } from "../../src/host/driver.ts";
import type { Observation } from "../../src/host/protocol.ts";
import type { SshDriver } from "../../src/host/ssh-driver.ts";
import { Secret } from "../../src/kernel/secret.ts";
import type { ReleaseFault } from "../../src/lab/docker/flake-release.ts";
import { type DockerSubject, dockerSubject } from "./host-docker.ts";

const signal = new AbortController().signal;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let subject: DockerSubject;
let driver: SshDriver;
let run = 0;
beforeAll(async () => {
  // Third way to root: the other two are in the contract's runs.
  subject = await dockerSubject("trixie", "admin");
  driver = subject.another();
});
afterAll(async () => subject?.[Symbol.asyncDispose]());

const observe = (a?: Activation) =>
  driver.observe(subject.host, { signal, ...(a === undefined ? {} : { activation: a }) });

async function begin(fault: ReleaseFault, confirmTimeoutMs = 60_000): Promise<Activation> {
  const [to, seen] = await Promise.all([subject.makeWith(fault), observe()]);
  const [rollout, from] = [`f-${++run}`, seen.current];
  const a: Activation = { rollout, attempt: 1, fence: run, from, to, mode: "test", confirmTimeoutMs };
  await driver.stage(subject.host, a, { signal });
  return a;
}
const activate = (a: Activation) => driver.activate(subject.host, a, { signal });
const commit = (a: Activation) => driver.commit(subject.host, a, { signal });
const revert = (a: Activation) => driver.revert(subject.host, a, "operator", { signal });

async function until(a: Activation, wanted: (seen: Observation) => boolean): Promise<Observation> {
  let last: unknown;
  for (const end = Date.now() + 60_000; Date.now() < end; await pause(200)) {
    try {
      const seen = await observe(a);
      last = [seen.current, seen.state, seen.activateActive];
      if (wanted(seen)) return seen;
    } catch (error) {
      if (!(error instanceof FleetError) || !error.transient) throw error;
    }
  }
  throw new Error(`waited in vain; last: ${JSON.stringify(last)}`);
}
const phase = (name: string) => (seen: Observation) => seen.state?.phase === name;

const codeOf = (promise: Promise<unknown>): Promise<ErrorCode | string> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof FleetError ? error.code : String(error)),
  );
const switches = async (a: Activation) =>
  Number(await subject.exec(`grep -c "test ${a.to} " /var/log/lab-switch.log || true`));

describe("a real host", () => {
  it("fetches from the fleet's cache what that has, and gets the rest from here", async () => {
    const to = await subject.makeWith({});
    const otherTo = await subject.makeWith({});
    const publicKey = await subject.cache([to, otherTo]);
    const a: Activation = {
      ...{ rollout: "f-cache", attempt: 1, fence: 1, mode: "test", confirmTimeoutMs: 60_000 },
      ...{ from: (await observe()).current, to },
    };
    const url = "file:///root/cache";
    const forged = "test-1:I+XIm9V0FxsgBDLoZeGgU7oY6RfEdZjwDNFZHBAe8dM=";
    const untrusting = subject.another({ cache: { url, publicKey: forged } });
    const other = { ...a, to: otherTo };
    expect((await untrusting.stage(subject.host, other, { signal })).paths).toBeGreaterThan(0);
    const trusting = subject.another({ cache: { url, publicKey } });
    expect(await trusting.stage(subject.host, a, { signal })).toMatchObject({ bytes: 0, paths: 0 });
    await trusting.release(subject.host, a, { signal });
  });

  it("puts secrets down with their mode, keeps an owner, and restarts what uses a changed one", async () => {
    const path = "/var/lib/macula-fleet/secrets/token";
    const value = "it's $HOME\n\n";
    const deliver = (content: string, restart: boolean) =>
      driver.deliver(subject.host, [{ path, mode: 0o440, content: new Secret(content) }], {
        signal,
        restart,
      });
    const file = () => subject.exec(`stat -c '%a %U' ${path} && base64 -w0 ${path}`);
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    expect(await deliver(value, false)).toEqual([path]);
    expect(await file()).toBe(`440 root\n${base64(value)}`);
    expect(await subject.exec("stat -c '%a' /var/lib/macula-fleet/secrets")).toBe("711");
    await subject.exec(`chown nobody ${path}`);
    await subject.exec(
      `mkdir -p /etc/macula && echo '${path} macula-node.service' > /etc/macula/secret-units`,
    );
    const pid = () => subject.exec("systemctl show -p MainPID --value macula-node.service");
    const first = await pid();
    // What is left to an activation is not forgotten: the next word with `restart` does it.
    expect(await deliver("new", false)).toEqual([path]);
    expect(await pid()).toBe(first);
    expect(await deliver("newer", true)).toEqual([path]);
    const second = await pid();
    expect(second).not.toBe(first);
    expect(await file()).toBe(`440 nobody\n${base64("newer")}`);
    expect(await deliver("newer", true)).toEqual([]);
    expect(await pid()).toBe(second);
    await subject.exec("rm -r /etc/macula");
    // Neither the journal nor what is left of the run shows it.
    expect(await subject.exec("journalctl --no-pager -q | grep -c newer || true")).toBe("0");
    expect(
      await subject.exec(
        "ls /var/lib/macula-fleet/secrets /run/macula-fleet | grep -c 'new\\|changed' || true",
      ),
    ).toBe("0");
  });

  it("outlives its sshd during an activation", async () => {
    const a = await begin({ killSshd: true });
    await activate(a);
    expect(await until(a, phase("activated"))).toMatchObject({ current: a.to, elevation: "doas" });
    await commit(a);
    expect(await observe(a)).toMatchObject({ profile: a.to, bootDefault: a.to });
  });

  it("comes back when sshd stays away", async () => {
    const a = await begin({ loseSshd: true }, 3000);
    await activate(a);
    const seen = await until(a, phase("reverted"));
    expect(seen).toMatchObject({ current: a.from, state: { reason: "timeout" } });
  });

  it("lets one of two controllers in, that of the moment", async () => {
    const a = await begin({ sleep: 2 });
    const b = { ...a, rollout: "f-rival" };
    const outcomes = await Promise.all([
      codeOf(activate(a)),
      codeOf(subject.another().activate(subject.host, b, { signal })),
    ]);
    expect(outcomes.sort()).toEqual(["host-busy", "no error"]);
    const seen = await until(a, phase("activated"));
    const won = { ...a, rollout: seen.state?.rollout ?? "" };
    expect(await switches(a)).toBe(1);
    await revert(won);
    await until(won, phase("reverted"));
  });

  it("does not care how often and by whom the same activation is asked for", async () => {
    const a = await begin({ sleep: 1 });
    const others = [driver, subject.another(), subject.another()];
    await Promise.all(others.map((d) => d.activate(subject.host, a, { signal })));
    await until(a, phase("activated"));
    expect(await switches(a)).toBe(1);
    await revert(a);
    await until(a, phase("reverted"));
  });

  it.each([20, 120, 250, 500])("needs nobody after %i ms of being asked", async (ms) => {
    const a = await begin({}, 3000);
    const gone = new AbortController();
    const vanishing = subject.another().activate(subject.host, a, { signal: gone.signal });
    setTimeout(() => gone.abort(new Error("killed")), ms);
    await vanishing.catch(() => undefined);
    await pause(1500);
    const seen = await observe(a);
    if (seen.state?.rollout === a.rollout) {
      expect(await until(a, phase("reverted"))).toMatchObject({ current: a.from, revertArmed: false });
    } else {
      expect(seen.current).toBe(a.from);
      expect(await subject.exec("systemctl list-units --all --no-legend 'macula-fleet-*'")).toBe("");
    }
  });

  it("ends a hanging activation when told to go back", async () => {
    const a = await begin({ sleep: 600 });
    await activate(a);
    await pause(1000);
    expect(await observe(a)).toMatchObject({ activateActive: true, state: { phase: "activating" } });
    await revert(a);
    expect(await until(a, phase("reverted"))).toMatchObject({ current: a.from, activateActive: false });
  });

  it("ends a hanging activation by itself when nobody asks", async () => {
    const a = await begin({ sleep: 600 }, 2000);
    await activate(a);
    await pause(2500);
    expect(await until(a, phase("reverted"))).toMatchObject({ state: { reason: "timeout", rc: null } });
  });

  it("is back on the old system after a power cut in the middle of an activation", async () => {
    const a = await begin({ sleep: 600 });
    await activate(a);
    await pause(500);
    await subject.powerCycle();
    expect(await observe(a)).toMatchObject({ current: a.from, profile: a.from, activateActive: false });
    const b = await begin({});
    await activate(b);
    await until(b, phase("activated"));
    await commit(b);
  });

  it("reboots when a switch is inhibited", async () => {
    const a = await begin({ inhibited: true }, 20_000);
    await activate(a);
    const seen = await until(a, phase("activated"));
    expect(seen).toMatchObject({ booted: a.to, bootDefault: a.from, state: { mode: "boot" } });
    await revert(a);
    expect(await until(a, phase("reverted"))).toMatchObject({
      booted: a.from,
      state: { reason: "operator" },
    });
    expect(await subject.exec("ls -A /etc/systemd/system.control 2>/dev/null | wc -l")).toBe("0");
  });

  it("keeps profile and boot default when the boot loader cannot be written", async () => {
    const a = await begin({ bootloaderFails: true }, 5000);
    await activate(a);
    await until(a, phase("activated"));
    expect(await codeOf(commit(a))).toBe("activation-failed");
    expect(await observe(a)).toMatchObject({ profile: a.from, bootDefault: a.from, revertArmed: true });
    expect(await until(a, phase("reverted"))).toMatchObject({ current: a.from });
  });

  it("finishes a commit nobody waits for", async () => {
    const a = await begin({});
    await activate(a);
    await until(a, phase("activated"));
    const gone = new AbortController();
    const vanishing = subject.another().commit(subject.host, a, { signal: gone.signal });
    setTimeout(() => gone.abort(new Error("killed")), 350);
    await vanishing.catch(() => undefined);
    await pause(1500);
    await commit(a);
    expect(await observe(a)).toMatchObject({ profile: a.to, bootDefault: a.to, revertArmed: false });
  });

  it("starts nothing it cannot record", async () => {
    const a = await begin({});
    const small =
      "mount -t tmpfs -o size=4k tmpfs /var/lib/macula-fleet && cp /dev/zero /var/lib/macula-fleet/x";
    await subject.exec(`${small} 2>/dev/null || true`);
    const outcome = await codeOf(activate(a));
    await subject.exec("umount /var/lib/macula-fleet");
    expect(outcome).toBe("host-disk-full");
    expect(await observe(a)).toMatchObject({ current: a.from, activateActive: false, revertArmed: false });
  });

  it("does not guess when its record is broken", async () => {
    await subject.exec(
      "cp /var/lib/macula-fleet/state.json /root/ && echo broken > /var/lib/macula-fleet/state.json",
    );
    expect(await codeOf(observe())).toBe("host-protocol");
    await subject.exec("cp /root/state.json /var/lib/macula-fleet/state.json");
    expect((await observe()).state).not.toBeNull();
  });

  it("restarts on demand, unless something is under way", async () => {
    const a = await begin({ sleep: 2 });
    await activate(a);
    expect(await codeOf(driver.reboot(subject.host, { signal }))).toBe("host-busy");
    await until(a, phase("activated"));
    await revert(a);
    const before = await until(a, phase("reverted"));
    await pause(500);
    await driver.reboot(subject.host, { signal });
    const after = await until(a, (seen) => seen.bootId !== before.bootId);
    expect(after).toMatchObject({ current: a.from, booted: a.from });
  });

  it("describes itself to whoever wants to install it", async () => {
    const facts = await driver.facts(subject.host, { signal });
    expect(facts).toMatchObject({
      hostname: "node-01",
      os: { id: "nixos" },
      arch: "x86_64",
      container: "docker",
      elevation: "doas",
      uplink: { device: "eth0", kind: "ethernet" },
      current: (await observe()).current,
    });
    expect(facts.tools).toEqual(expect.arrayContaining(["tar", "cpio", "sudo", "nix-store"]));
    expect(facts.hostKeys[0]).toMatch(/^ssh-ed25519 \S+$/);
    expect(facts.memory).toBeGreaterThan(100_000);
  });
});
