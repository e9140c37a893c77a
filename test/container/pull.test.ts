/** Pull mode on a real systemd: the program of the flake and the host protocol's own scripts, as the module runs them. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Activation } from "../../src/host/driver.ts";
import type { Observation } from "../../src/host/protocol.ts";
import { dockerCli } from "../../src/lab/docker/engine.ts";
import type { ReleaseFault } from "../../src/lab/docker/flake-release.ts";
import { onContainers, signal } from "./fixture.ts";
import { type DockerSubject, dockerSubject } from "./host-docker.ts";

const PULL = fileURLToPath(new URL("../../flake/modules/pull", import.meta.url));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** As flake/modules/pull.nix has it; the seconds are filled in by each test. */
const UNIT = `[Unit]
StartLimitIntervalSec=0
[Service]
Type=exec
Environment=MACULA_PROTOCOL=/root/pull/protocol MACULA_HEALTH=/root/health
EnvironmentFile=/root/seconds
ExecStart=/bin/bash /root/pull/macula-pull.sh file:///root/published $SECONDS_LEFT
`;

onContainers("a machine that pulls", () => {
  let subject: DockerSubject;
  let number = 0;
  beforeAll(async () => {
    subject = await dockerSubject("trixie", "root");
    await dockerCli.run(["cp", PULL, `${subject.container}:/root/pull`], { signal });
  });
  afterAll(async () => subject?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    await write("/run/systemd/system/macula-pull.service", UNIT);
    await write("/root/health", "#!/bin/sh\nexit 0\n");
    await subject.exec("chmod +x /root/health && systemctl daemon-reload");
  });

  const write = (path: string, text: string) =>
    subject.exec(`mkdir -p ${path.replace(/\/[^/]*$/, "")} && cat > ${path} << 'END'\n${text}END\n`);
  /** Of the trial of `to`. */
  let trial: Activation | undefined;
  const observe = () =>
    subject.driver.observe(subject.host, { signal, ...(trial ? { activation: trial } : {}) });

  /** Publishes a system that is on the host already. */
  async function publish(fault: ReleaseFault): Promise<{ readonly from: string; readonly to: string }> {
    const [to, { current: from }] = [await subject.makeWith(fault), await observe()];
    const run = `copy-${++number}`;
    const a: Activation = { rollout: run, attempt: 1, fence: 0, from, to, mode: "test", confirmTimeoutMs: 1 };
    await subject.driver.stage(subject.host, a, { signal });
    await write("/root/published", `${to}\n`);
    trial = { ...a, rollout: "pull" };
    return { from, to };
  }
  async function pull(seconds: number): Promise<void> {
    await write("/root/seconds", `SECONDS_LEFT=${seconds}\n`);
    await subject.exec("systemctl start macula-pull.service");
  }
  async function until(wanted: (seen: Observation) => boolean): Promise<Observation> {
    let last: Observation | undefined;
    for (const end = Date.now() + 90_000; Date.now() < end; await pause(200)) {
      last = await observe();
      if (wanted(last)) return last;
    }
    throw new Error(`waited in vain; last: ${JSON.stringify(last)}\n${await journal()}`);
  }
  const phase = (name: string, to: string) => (seen: Observation) =>
    seen.state?.phase === name && seen.state.to === to;
  const ended = async () => {
    await subject.exec("while systemctl is-active -q macula-pull.service; do sleep 0.1; done");
    return journal();
  };
  const journal = () => subject.exec("journalctl --no-pager -q -o cat -u macula-pull.service");
  /** Trials so far. */
  const attempts = async () => (await observe()).state?.attempt;
  /** Returns while the trial of `to` is being activated. */
  const activating = async (to: string) => {
    await until((seen) => seen.activateActive && seen.state?.to === to);
    await subject.exec("until ! flock -n /run/nixos/switch-to-configuration.lock true; do sleep 0.1; done");
  };

  it("commits what it was told to run, and asks for it once", async () => {
    const { to } = await publish({});
    await pull(600);
    await ended();
    expect(await observe()).toMatchObject({
      ...{ current: to, profile: to, bootDefault: to, revertArmed: false },
      state: { rollout: "pull", phase: "committed" },
    });
    const before = await attempts();
    await pull(600);
    await ended();
    expect(await attempts()).toBe(before);
  });

  it("asks its owner first, changes nothing until that agrees, and holds nothing against the target", async () => {
    const { from, to } = await publish({});
    const before = await attempts();
    await subject.ownerSays({ reason: "the shop is open", until: 0 });
    await pull(600);
    expect(await ended()).toContain("not now: the shop is open (50-owner)");
    expect(await observe()).toMatchObject({ current: from, profile: from, revertArmed: false });
    expect(await attempts()).toBe(before);
    await subject.ownerSays(null);
    await pull(600);
    await ended();
    expect(await observe()).toMatchObject({ current: to, profile: to, state: { phase: "committed" } });
  });

  it("comes back from a hanging activation by its timer, whoever judged it being dead, and never tries it again", async () => {
    const { from, to } = await publish({ sleep: 600 });
    await pull(60);
    await activating(to);
    await subject.exec("systemctl kill -s KILL macula-pull.service");
    const seen = await until(phase("reverted", to));
    expect(seen).toMatchObject({
      current: from,
      profile: from,
      activateActive: false,
      state: { reason: "timeout" },
    });
    const before = seen.state?.attempt;
    await pull(60);
    expect(await ended()).toContain(`${to} failed here before`);
    expect(await attempts()).toBe(before);
  });

  it("ends a hanging activation itself while there is time", async () => {
    const { from, to } = await publish({ sleep: 600 });
    await pull(33);
    const seen = await until(phase("reverted", to));
    expect(seen).toMatchObject({ current: from, activateActive: false, state: { reason: "activation" } });
    await ended();
    const before = seen.state?.attempt;
    await pull(33);
    await ended();
    expect(await attempts()).toBe(before);
  });

  it("is on its old system after a power cut during the trial, and does not repeat it", async () => {
    const { from, to } = await publish({ sleep: 600 });
    await pull(600);
    await activating(to);
    const before = await attempts();
    await subject.powerCycle();
    await write("/run/systemd/system/macula-pull.service", UNIT);
    await subject.exec("systemctl daemon-reload");
    await pull(600);
    expect(await ended()).toContain(`the trial of ${to} was cut off`);
    expect(await observe()).toMatchObject({ current: from, profile: from, activateActive: false });
    expect(await attempts()).toBe(before);
  });

  it("has one decider: once the way back has begun, nothing is committed", async () => {
    const { from, to } = await publish({ sleep: 2 });
    // Healthy, but only after the time was up.
    await write(
      "/root/health",
      `#!/bin/sh
echo 0 > /run/macula-fleet/pull/deadline
systemctl start --no-block macula-fleet-pull-revert.service
until grep -q '"phase": "rever' /var/lib/macula-fleet/state.json; do sleep 0.1; done
`,
    );
    await pull(600);
    expect(await ended()).toContain("could not be committed");
    const seen = await until(phase("reverted", to));
    expect(seen).toMatchObject({
      current: from,
      profile: from,
      bootDefault: from,
      state: { reason: "timeout" },
    });
  });

  it("goes back from an activation that used up its time, though it ended well", async () => {
    const { from, to } = await publish({ sleep: 8 });
    await pull(34);
    expect(await until(phase("reverted", to))).toMatchObject({ current: from, profile: from });
    expect(await ended()).not.toContain(`committed ${to}`);
  });

  it("judges on when it is restarted during the trial", async () => {
    const { to } = await publish({ sleep: 4 });
    await pull(600);
    await activating(to);
    const before = await attempts();
    await subject.exec("systemctl restart macula-pull.service");
    expect(await ended()).toContain(`committed ${to}`);
    expect(await observe()).toMatchObject({ current: to, profile: to, revertArmed: false });
    expect(await attempts()).toBe(before);
  });

  it("ends committed on a system that has no pull mode", async () => {
    const { to } = await publish({ sleep: 3 });
    await pull(600);
    await activating(to);
    // What switch-to-configuration does to a unit that is gone and has X-StopOnRemoval=false.
    await subject.exec("rm /run/systemd/system/macula-pull.service && systemctl daemon-reload");
    expect(await until(phase("committed", to))).toMatchObject({ current: to, profile: to, bootDefault: to });
  });
});
