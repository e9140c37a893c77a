/** The product's own commands on a fleet of containers: what is promised about real OpenSSH, systemd and Nix. */
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { dockerLabStatus } from "../../src/lab/docker/control.ts";
import { type ReleaseFault, releaseWith } from "../../src/lab/docker/flake-release.ts";
import { commitRelease } from "../../src/lab/docker/lab-flake.ts";
import { labLayout } from "../../src/lab/layout.ts";
import { type LabFixture, onContainers, signal, startLabFixture } from "./fixture.ts";

const bin = fileURLToPath(new URL("../../bin/macula-fleet.js", import.meta.url));

interface Event {
  readonly type: string;
  readonly seq: number;
  readonly rollout: string;
  readonly ts: string;
  readonly host?: string;
  readonly data: { readonly to?: string; readonly failure?: { readonly code: string } };
}

onContainers("a fleet of containers", () => {
  let lab: LabFixture;
  let releases = 0;
  const three = "node-01,node-02,node-03";

  beforeAll(async () => {
    lab = await startLabFixture(8);
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  /** Makes a new head of the flake; its name. */
  const release = async (fault: ReleaseFault = {}): Promise<string> => {
    const name = `t${++releases}`;
    await commitRelease(join(lab.dir, "flake"), releaseWith(name, fault), signal);
    return name;
  };

  /** Runs one command to its end, however it ends; `onEvent` sees the events as they come. */
  const fleet = async (args: readonly string[], onEvent?: (event: Event, kill: () => void) => void) => {
    const files = labLayout(lab.dir);
    const env = { XDG_STATE_HOME: files.state, CI: "" };
    const running = execa(
      process.execPath,
      [bin, ...args, "-i", files.inventory, "--yes", "-o", "ndjson", "--no-color"],
      { env, reject: false, stdin: "ignore", stdout: ["pipe"], timeout: 150_000 },
    );
    const events: Event[] = [];
    for await (const line of running.iterable()) {
      const event: Event = JSON.parse(line);
      if (event.type === "version") continue;
      events.push(event);
      onEvent?.(event, () => running.kill("SIGKILL"));
    }
    const { exitCode, stderr } = await running;
    return { code: exitCode, events, stderr };
  };
  const rollout = (limit: string, more: readonly string[] = [], onEvent?: Parameters<typeof fleet>[1]) =>
    fleet(["rollout", "--limit", limit, ...more], onEvent);
  /** Ends a run that stopped for a person, so that the next one may have its hosts. */
  const abandon = async (events: readonly Event[]) => {
    const { stderr } = await fleet(["rollout", "abort", events[0]?.rollout ?? ""]);
    expect(stderr).not.toContain("refused");
  };

  const status = async () =>
    new Map((await dockerLabStatus(lab.dir, { signal })).map((report) => [report.name, report]));
  const versions = async (names: readonly string[]) => {
    const reports = await status();
    return names.map((name) => {
      const report = reports.get(name);
      const places = [report?.current, report?.profile, report?.bootDefault];
      return [...new Set(places.map((path) => path?.replace(/^.*\.lab-/, "")))].join(" ");
    });
  };
  const all = () => lab.lab.hosts.map(({ name }) => name);
  const names = (limit: string) => limit.split(",");
  const states = (events: readonly Event[], host: string) =>
    events.filter((e) => e.type === "host.state" && e.host === host).map((e) => e.data.to);

  it("takes every host to the new release in waves, with every event in order", async () => {
    const name = await release();
    const { code, events, stderr } = await rollout("all");
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(await versions(all())).toEqual(all().map(() => name));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(states(events, "node-02").at(-1)).toBe("updated");
    // As root, with sudo and with doas, on old and new systemd and Nix.
    const flavours = new Set(lab.lab.hosts.map(({ suite, user }) => `${suite} ${user}`));
    expect([...flavours].sort()).toEqual(["bookworm deploy", "bookworm root", "trixie admin", "trixie root"]);
  });

  it("stops at a canary whose unit fails; it reverts itself, nobody else was touched", async () => {
    const before = await versions(all());
    await release({ unitFails: true });
    const { code, events } = await rollout("all");
    await abandon(events);
    expect(code).toBe(3);
    expect(await versions(all())).toEqual(before);
    const touched = new Set(events.filter((e) => e.data.to === "activating").map((e) => e.host));
    expect(touched.size).toBe(1);
    const [canary = ""] = touched;
    expect(
      await lab.host(canary).ssh("systemctl is-active macula-node; systemctl is-system-running --wait"),
    ).toBe("active\nrunning");
  });

  it("gets a host back that loses its network at activation, by itself and within the confirm timeout", async () => {
    const before = await versions(names(three));
    await release({ dropNetwork: true });
    const { code, events } = await rollout(three, ["--confirm-timeout", "10s"]);
    await abandon(events);
    expect(code).toBe(3);
    expect(await versions(names(three))).toEqual(before);
    const activating = events.find((e) => e.data.to === "activating");
    const record = await lab.host(activating?.host ?? "").exec("cat /var/lib/macula-fleet/state.json");
    expect(JSON.parse(record)).toMatchObject({ phase: "reverted", reason: "timeout" });
  });

  it("survives that sshd and its own session are killed during activation", async () => {
    const name = await release({ killSshd: true });
    const { code, stderr } = await rollout(three);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(await versions(names(three))).toEqual(names(three).map(() => name));
  });

  it("leaves a host with a full disk on the system it runs", async () => {
    const before = await versions(["node-02"]);
    await release();
    await lab.fault("node-02", "disk-full");
    const { code, events } = await rollout("node-02");
    await lab.fault("node-02", "none");
    await abandon(events);
    expect(code).not.toBe(0);
    expect(events.map((e) => e.data.failure?.code)).toContain("host-disk-full");
    expect(states(events, "node-02")).not.toContain("activating");
    expect(await versions(["node-02"])).toEqual(before);
  });

  it("finds a host on its old system after a power cut between activation and commit", async () => {
    const before = await versions(["node-01"]);
    await release();
    let cut: Promise<void> | undefined;
    const { code, events } = await rollout("node-01", ["--min-healthy-time", "8s"], (event) => {
      if (event.data.to === "confirming") cut ??= lab.host("node-01").powerCycle();
    });
    await cut;
    await abandon(events);
    expect(code).not.toBe(0);
    expect(states(events, "node-01")).not.toContain("updated");
    expect(await versions(["node-01"])).toEqual(before);
    expect(await lab.host("node-01").exec("readlink /run/booted-system")).toMatch(
      new RegExp(`lab-${before[0]}$`),
    );
  });

  it("goes on after its controller was killed, wherever that was", async () => {
    const points = ["staging", "activating", "confirming", "committing", "baking"];
    const name = await release();
    /** Kills the controller when it reaches `point`; `onStart` is called once the run is under way. */
    const kill = async (point: string, host: string, onStart: () => void) => {
      let id = "";
      const { code, stderr } = await rollout(host, [], (event, end) => {
        id = event.rollout;
        onStart();
        if (event.data.to === point) end();
      });
      onStart();
      expect({ point, code, stderr }).toMatchObject({ point, code: undefined, stderr: "" });
      return id;
    };
    const resume = async (point: string, host: string, id: string) => {
      // A dead controller's lease lasts for a while; until then nobody may take its hosts over.
      let last = await fleet(["rollout", "resume", id]);
      const deadline = Date.now() + 60_000;
      while (last.code === 64 && Date.now() < deadline) {
        await setTimeout(3000);
        last = await fleet(["rollout", "resume", id]);
      }
      return { point, code: last.code, stderr: last.stderr, runs: (await versions([host]))[0] };
    };
    // Side by side, but begun one after the other: of two that begin at once, one is refused.
    const runs: Promise<unknown>[] = [];
    for (const [i, point] of points.entries()) {
      const host = `node-0${i + 1}`;
      const { promise: started, resolve } = Promise.withResolvers<void>();
      runs.push(kill(point, host, resolve).then((id) => resume(point, host, id)));
      await started;
    }
    expect(await Promise.all(runs)).toMatchObject(points.map((point) => ({ point, code: 0, runs: name })));
  });

  it("lets one of two controllers through", async () => {
    const two = "node-03,node-04";
    const name = await release();
    const both = await Promise.all([fleet(["rollout", "--limit", two]), fleet(["rollout", "--limit", two])]);
    const said = both.map(({ stderr }) => stderr).join("\n");
    expect(both.map(({ code }) => code).sort(), said).toEqual([0, 6]);
    expect(await versions(names(two))).toEqual([name, name]);
  });
});
