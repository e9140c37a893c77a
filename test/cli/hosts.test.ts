import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labLayout } from "../../src/lab/layout.ts";
import { labFault, labRelease } from "../../src/lab/operate.ts";
import { openStore } from "../../src/store/open.ts";
import { labInProcess, type TestLab } from "../lab/support/lab.ts";
import { type CliSurroundings, cli } from "../support/cli.ts";

let lab: TestLab;
const run = (argv: readonly string[], o: CliSurroundings = {}) =>
  cli(argv, {
    cwd: lab.dir,
    ...o,
    env: { MACULA_FLEET_INVENTORY: join(lab.dir, "inventory.yaml"), ...o.env },
  });
const json = async (...argv: string[]) => {
  const { exit, stdout } = await run([...argv, "-o", "json"]);
  return { exit, data: JSON.parse(stdout) };
};
const fault = (host: string, kind: string) => labFault(lab.dir, host, kind);

beforeAll(async () => {
  lab = await labInProcess({
    hosts: 6,
    sites: 2,
    timing: { activation: 50, boot: 200, rebootDelay: 50, watchdog: 1_000 },
  });
});
afterAll(() => lab[Symbol.asyncDispose]());

describe("status", () => {
  test("asks every host and remembers the answers", async () => {
    const { exit, data } = await json("status");
    expect(exit).toBe(0);
    expect(data).toHaveLength(6);
    expect(data[0]).toMatchObject({
      host: "node-01",
      reach: "ok",
      revision: "r1",
      generation: 1,
      kernel: expect.stringMatching(/^\d+\.\d+/),
      failedUnits: [],
      notes: [],
    });
    const remembered = await json("status", "--offline", "-l", "node-01");
    expect(remembered.data).toEqual([
      expect.objectContaining({ reach: "unasked", revision: "r1", seenAt: expect.any(String) }),
    ]);
  });

  test("shows who is out of reach as last seen, and exits 4", async () => {
    await fault("node-02", "unreachable");
    const { exit, stdout, stderr } = await run(["status", "node-01", "node-02"]);
    await fault("node-02", "none");
    expect(exit).toBe(4);
    expect(stderr).toContain("LAB");
    expect(stdout).toMatch(/node-01 .* ok +now/);
    expect(stdout).toMatch(/node-02 .*r1 .* unreachable +\d+s ago +out of reach/);
  });

  test("a changed host key is no outage", async () => {
    await fault("node-02", "wrong-host-key");
    const { exit, data } = await json("status", "node-02");
    await fault("node-02", "none");
    expect(exit).toBe(3);
    expect(data[0]).toMatchObject({ reach: "error", error: { code: "host-key-changed" } });
  });

  test("--timeout ends it with 124", async () => {
    await fault("node-03", "hang");
    const { exit, stdout, stderr } = await run([
      "status",
      "-l",
      "node-03",
      "--timeout",
      "300ms",
      "-o",
      "json",
    ]);
    await fault("node-03", "none");
    expect(exit).toBe(124);
    expect(stderr).toContain("[timeout]");
    expect(JSON.parse(stdout).error.code).toBe("timeout");
  });

  test("a limit nobody matches is a usage error", async () => {
    const { exit, stderr } = await run(["status", "nod-01"]);
    expect(exit).toBe(64);
    expect(stderr).toContain('Did you mean "node-01"?');
  });
});

describe("generations, drift, gc", () => {
  test("lists generations with what they are", async () => {
    const { exit, data } = await json("generations", "node-01");
    expect(exit).toBe(0);
    expect(data).toEqual([
      {
        host: "node-01",
        generations: [expect.objectContaining({ number: 1, running: true, profile: true })],
      },
    ]);
    expect((await run(["generations", "node-01"])).stdout).toMatch(/node-01 +1 .* current/);
  });

  test("a fleet as it was made has not drifted", async () => {
    const { exit, stdout } = await run(["drift", "--detailed-exitcode"]);
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: "0 of 6 hosts drifted\n" });
  });

  test("names what drifted, with a fix; --detailed-exitcode makes it 2", async () => {
    await rollout("node-04");
    await lab.driver.observe(lab.host("node-04"), { signal: AbortSignal.timeout(5_000) });
    // Somebody puts the old system back behind the fleet's back.
    const [before] = await lab.driver.generations(lab.host("node-04"), {
      signal: AbortSignal.timeout(5_000),
    });
    const rolledBack = await run([
      "--state",
      join(lab.dir, "another.db"),
      "rollback",
      "node-04",
      "--to-generation",
      String(before?.number),
      "--yes",
    ]);
    expect(rolledBack.exit).toBe(0);
    const { exit, stdout } = await run(["drift", "node-04", "--detailed-exitcode"]);
    expect(exit).toBe(2);
    expect(stdout).toContain("node-04  unexpected-system");
    expect(stdout).toContain("fix: ");
    expect((await run(["drift", "node-04"])).exit).toBe(0);
    expect((await json("drift", "node-04")).data[0].findings[0].kind).toBe("unexpected-system");
  });

  test("gc asks first, keeps what a rollback needs, and says what it freed", async () => {
    const refused = await run(["gc", "node-04", "--keep", "1"]);
    expect(refused.exit).toBe(64);
    expect(refused.stderr).toContain("[needs-confirmation]");
    const { exit, data } = await json("gc", "node-04", "--keep", "1", "--yes");
    expect(exit).toBe(0);
    expect(data).toEqual([{ host: "node-04", generations: [], freedBytes: expect.any(Number) }]);
  });
});

describe("hold and lock", () => {
  test("a hold is on the host and in the store; unhold clears both", async () => {
    expect((await run(["hold", "node-01", "--reason", "new disk"])).exit).toBe(0);
    expect((await json("status", "--offline", "node-01")).data[0].notes).toEqual([
      expect.stringMatching(/^held by tester@.*: new disk$/),
    ]);
    const observed = await lab.driver.observe(lab.host("node-01"), { signal: AbortSignal.timeout(5_000) });
    expect(observed.hold?.reason).toBe("new disk");
    const plan = await json("plan", "-l", "node-01");
    expect(plan.data.excluded).toEqual([expect.objectContaining({ host: "node-01", state: "deferred" })]);

    expect((await json("unhold", "node-01")).data).toEqual([{ host: "node-01", held: null }]);
    expect((await json("status", "node-01")).data[0].notes).toEqual([]);
  });

  test("a hold with an end lives on the host only", async () => {
    const { data } = await json("hold", "node-01", "--for", "1h");
    expect(Date.parse(data[0].held.until)).toBeGreaterThan(Date.now() + 50 * 60_000);
    expect((await json("status", "--offline", "node-01")).data[0].notes).toEqual([]);
    await run(["unhold", "node-01"]);
  });

  test("a host that cannot be told is held here, and it says so", async () => {
    await fault("node-02", "unreachable");
    const { exit, stderr } = await run(["hold", "node-02"]);
    await fault("node-02", "none");
    expect(exit).toBe(4);
    expect(stderr).toContain("held by this controller all the same");
    expect((await json("status", "--offline", "node-02")).data[0].notes).toHaveLength(1);
    await run(["unhold", "node-02"]);
  });

  test("somebody else's lock holds, until --force", async () => {
    expect((await run(["lock", "node-01", "--reason", "debugging"])).exit).toBe(0);
    const other = { env: { USER: "somebody" } };
    expect((await run(["lock", "node-01"], other)).exit).toBe(4);
    const refused = await run(["unlock", "node-01"], other);
    expect(refused.exit).toBe(4);
    expect(refused.stderr).toContain("unlock node-01 --force");
    expect((await run(["unlock", "node-01", "--force"], other)).stdout).toBe("node-01: unlocked\n");
    expect((await run(["unlock", "node-01"])).stdout).toBe("node-01: was not locked\n");
  });

  test.each(["hold", "unhold", "lock", "unlock"])("%s wants hosts named", async (word) => {
    const { exit, stderr } = await run([word]);
    expect(exit).toBe(64);
    expect(stderr).toContain("--limit all");
  });
});

describe("exec and ssh", () => {
  test("folds the same answers into one", async () => {
    const { exit, stdout } = await run(["exec", "--", "uname", "-r"]);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^node-01, .* \(6 hosts\): exit 0\n {2}\d+\.\d+\.\d+\n$/);
  });

  test("prefixes lines with --stream", async () => {
    const { stdout } = await run(["exec", "--stream", "-l", "node-01,node-02", "--", "hostname"]);
    expect(stdout.trim().split("\n").sort()).toEqual(["node-01 | node-01", "node-02 | node-02"]);
  });

  test("one word is a shell line, several are quoted", async () => {
    const { stdout } = await run(["exec", "-o", "json", "-l", "node-01", "--", "echo", "a'b  c"]);
    expect(JSON.parse(stdout)[0]).toEqual({ host: "node-01", exit: 0, stdout: "a'b  c\n", stderr: "" });
  });

  test("exits 3 when it failed anywhere, 4 when hosts were only out of reach", async () => {
    expect((await run(["exec", "-l", "node-01", "--", "false"])).exit).toBe(3);
    await fault("node-02", "unreachable");
    const away = await run(["exec", "-o", "ndjson", "-l", "node-01,node-02", "--", "true"]);
    await fault("node-02", "none");
    expect(away.exit).toBe(4);
    const lines = away.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map((l) => l.host).sort()).toEqual(["node-01", "node-02"]);
    expect(lines.find((l) => l.host === "node-02").error.code).toBe("unreachable");
  });

  test("ssh is told address, key and trust of the inventory", async () => {
    const { exit, stdout } = await run(["ssh", "node-01", "--print"]);
    const host = lab.host("node-01");
    expect(exit).toBe(0);
    expect(stdout).toContain(`-p ${host.port} -i ${host.ssh.identityFile}`);
    expect(stdout).toContain(`UserKnownHostsFile=${host.ssh.knownHostsFile}`);
    expect(stdout).toMatch(/-- root@127\.0\.0\.1\n$/);
  });

  test("ssh goes to one host", async () => {
    const { exit, stderr } = await run(["ssh", "node-0*", "--print"]);
    expect(exit).toBe(64);
    expect(stderr).toContain("exec --limit 'node-0*'");
  });
});

describe("preflight", () => {
  test("a good fleet is ready", async () => {
    const { exit, stdout } = await run(["preflight", "-l", "node-01,node-02", "--build"]);
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: "2 of 2 hosts ready\n" });
  });

  test("one line per trouble, with its fix", async () => {
    await run(["hold", "node-01", "--reason", "new disk"]);
    await fault("node-02", "wrong-host-key");
    const { exit, stdout } = await run(["preflight", "-l", "node-01,node-02,node-03"]);
    await fault("node-02", "none");
    await run(["unhold", "node-01"]);
    expect(exit).toBe(3);
    expect(stdout).toMatch(/node-01 {2}hold {2}held by .*new disk\n {4}fix: macula-fleet unhold node-01/);
    expect(stdout).toContain("node-02  host-key-changed");
    expect(stdout).toContain("1 of 3 hosts ready");
  });

  test("hosts merely out of reach are 4", async () => {
    await fault("node-02", "unreachable");
    const { exit, data } = await json("preflight", "-l", "node-01,node-02");
    await fault("node-02", "none");
    expect(exit).toBe(4);
    expect(data[1]).toMatchObject({ host: "node-02", ready: false, for: null });
  });
});

describe("build and push", () => {
  test("builds what is selected", async () => {
    const { exit, data } = await json("build", "node-01", "--to", "r2");
    expect(exit).toBe(0);
    expect(data).toEqual([
      expect.objectContaining({
        host: "node-01",
        revision: "r2",
        toplevel: expect.stringMatching(/^\/nix\/store\/.*node-01-r2$/),
      }),
    ]);
  });

  test("push copies once; nothing is activated", async () => {
    const first = await json("push", "node-05", "--to", "r2");
    expect(first.exit).toBe(0);
    expect(first.data[0].paths).toBeGreaterThan(0);
    const second = await json("push", "node-05", "--to", "r2");
    expect(second.data[0]).toMatchObject({ host: "node-05", paths: 0, bytes: 0 });
    expect((await json("status", "node-05")).data[0].revision).toBe("r1");
  });

  test("a full disk fails that host only", async () => {
    labRelease(lab.dir, "r9");
    await fault("node-01", "disk-full");
    const { exit, data } = await json("push", "node-01", "node-03", "--to", "r9");
    await fault("node-01", "none");
    labRelease(lab.dir, "r2");
    expect(exit).toBe(3);
    expect(data[0]).toMatchObject({ host: "node-01", error: { code: "host-disk-full" } });
    expect(data[1].paths).toBeGreaterThan(0);
  });

  test("a simulated system goes to no binary cache", async () => {
    expect((await run(["push", "--cache", "file:///nowhere"])).exit).toBe(64);
  });
});

describe("reboot", () => {
  test("waits for a new boot, the expected system and health", async () => {
    const before = await lab.driver.observe(lab.host("node-01"), { signal: AbortSignal.timeout(5_000) });
    const { exit, data } = await json("reboot", "node-01", "--yes");
    expect(exit).toBe(0);
    expect(data[0]).toMatchObject({ host: "node-01", system: before.profile });
    expect(data[0].bootId).not.toBe(before.bootId);
  });

  test("critical hosts go one at a time, and stay up while the quorum would be missed", async () => {
    const bootstraps = lab.inventory.hosts.filter((h) => h.role === "bootstrap").map((h) => h.name);
    expect(bootstraps).toHaveLength(2);
    const [first = "", second = ""] = bootstraps;
    await fault(second, "unreachable");
    const { exit, stderr } = await run(["reboot", first, "--yes"]);
    await fault(second, "none");
    expect(exit).toBe(5);
    expect(stderr).toContain(`${first} stays up`);
    expect(stderr).toContain(`mend ${second} first`);
  });

  test("a host that does not come back ends it; the next is not touched", async () => {
    const other = await lab.driver.observe(lab.host("node-03"), { signal: AbortSignal.timeout(5_000) });
    let gone: Promise<unknown> | undefined;
    const { exit, stderr } = await run(["reboot", "node-02", "node-03", "--yes", "--boot-deadline", "2s"], {
      onError: (text) => {
        if (text.includes("node-02: restarting")) gone ??= fault("node-02", "unreachable");
      },
    });
    await gone;
    await fault("node-02", "none");
    const still = await lab.driver.observe(lab.host("node-03"), { signal: AbortSignal.timeout(5_000) });
    expect({ exit, boot: still.bootId }).toEqual({ exit: 3, boot: other.bootId });
    expect(stderr).toContain("node-02 did not come back within 2 s");
    expect(stderr).toContain("not restarted: 1 more host");
  });

  test("a held host is left alone, and nobody is restarted unasked", async () => {
    await run(["hold", "node-03"]);
    expect((await run(["reboot", "node-03", "--yes"])).exit).toBe(4);
    await run(["unhold", "node-03"]);
    expect((await run(["reboot", "node-03"])).exit).toBe(64);
    expect((await run(["reboot", "--yes"])).exit).toBe(64);
    expect((await run(["reboot", "--if-needed"])).stderr).toContain("no host needs a reboot");
  });
});

describe("reconcile", () => {
  test("catches up who was away, to what went through", async () => {
    await fault("node-03", "unreachable");
    expect(await rollout("node-01,node-03")).toBe(4);
    expect((await run(["reconcile", "--check"])).exit).toBe(4);
    await fault("node-03", "none");
    // The flake has moved on, but nobody rolled that out.
    labRelease(lab.dir, "r3");
    const check = await json("reconcile", "--check", "--detailed-exitcode");
    expect(check.exit).toBe(2);
    expect(check.data.hosts.map((h: { name: string }) => h.name)).toEqual(["node-03"]);
    expect((await run(["reconcile"])).exit).toBe(64);
    expect((await run(["reconcile", "--yes"])).exit).toBe(0);
    labRelease(lab.dir, "r2");
    expect((await json("status", "node-03")).data[0]).toMatchObject({ revision: "r2", notes: [] });
    expect((await run(["reconcile", "--yes"])).stderr).toContain("no host is behind");
  });
});

describe("serve", () => {
  test("serves the runs until it is told to stop", async () => {
    const stop = new AbortController();
    const url = Promise.withResolvers<string>();
    const serving = run(["serve", "--port", "0"], {
      interrupt: stop.signal,
      onOutput: (text) => text.startsWith("http") && url.resolve(text.trim()),
    });
    const base = await url.promise;
    const runs = (await (await fetch(`${base}runs`)).json()) as { id: string }[];
    expect(runs.length).toBeGreaterThan(0);
    expect((await fetch(base, { method: "POST" })).status).toBe(404);
    expect(await (await fetch(`${base}metrics`)).text()).toContain(`run="${runs[0]?.id}"`);
    const taken = await run(["serve", "--port", new URL(base).port]);
    expect(taken.exit).toBe(64);
    expect(taken.stderr).toContain("listens on");
    stop.abort();
    expect((await serving).exit).toBe(0);
  });
});

describe("a resumed run", () => {
  test("tells only what is new", async () => {
    labRelease(lab.dir, "r4", { behaviour: "bad-health" });
    const first = await run(["rollout", "-l", "node-02", "--to", "r4", "--yes"]);
    labRelease(lab.dir, "r2");
    expect(first.exit).toBe(3);
    expect(first.stdout).toContain("starts: node-02");
    await refusedWhileDriven("node-02");
    const ended = await run(["rollout", "abort"]);
    expect(ended.stdout).toContain("aborted");
    expect(ended.stdout).not.toContain("starts: node-02");
  });
});

/** Somebody else is at it: no restart of their hosts, and no second restart of anything. */
async function refusedWhileDriven(host: string): Promise<void> {
  await using store = await openStore(join(labLayout(lab.dir).state, "state.db"), { env: {}, fleet: "lab" });
  const [latest] = await store.runs({ limit: 1 });
  for (const key of [`run:${latest?.id}`, "reboot"]) {
    const lease = await store.lease(key, "ada@desk:1", 60_000, Date.now());
    const { exit, stderr } = await run(["reboot", host, "--yes"]);
    if (lease) await store.release(lease);
    expect(exit).toBe(6);
    expect(stderr).toContain("ada@desk:1");
  }
}

async function rollout(limit: string): Promise<number> {
  return (await run(["rollout", "-l", limit, "--to", "r2", "--yes"])).exit;
}
