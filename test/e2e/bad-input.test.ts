/** Bad input of every kind: the right exit code, a message with place, cause and fix, and nothing half-written. */
import { readdirSync, readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Ran } from "../support/cli-process.ts";
import { type FleetLab, QUICK, startLab } from "./support/lab.ts";

const MISTAKES = fileURLToPath(new URL("../inventory/mistakes.yaml", import.meta.url));
let lab: FleetLab;
let original: string;
let stateDb: string;
let knownHosts: string;
beforeAll(async () => {
  lab = await startLab({ hosts: 2, rollout: QUICK });
  original = await readFile(lab.inventory, "utf8");
  stateDb = join(lab.inventory, "..", "state", "state.db");
  knownHosts = join(lab.inventory, "..", "known_hosts");
});
afterAll(() => lab?.down());
beforeEach(() => writeFile(lab.inventory, original));

interface Says {
  readonly cause: RegExp;
  readonly fix: RegExp;
  /** file:line:col, a host, an option. */
  readonly place?: RegExp;
}
function refused(ran: Ran, code: number, says: Says): void {
  expect(ran.code, ran.stdout + ran.stderr).toBe(code);
  expect(ran.stderr).toMatch(says.cause);
  expect(ran.stderr).toMatch(says.fix);
  if (says.place) expect(ran.stderr).toMatch(says.place);
  expect(ran.stderr).not.toMatch(/^\s+at .*\.ts:\d+/m);
}

/** No run was begun and no host touched. */
async function untouched(): Promise<void> {
  const history = await lab.must("rollout", "history", "-o", "json");
  expect(JSON.parse(history.stdout)).toEqual([]);
  expect(await lab.revisions()).toEqual({ "node-01": "r1", "node-02": "r1" });
}

const edited = (from: string | RegExp, to: string) => {
  const text = original.replace(from, to);
  expect(text).not.toBe(original);
  return writeFile(lab.inventory, text);
};

describe("the inventory", () => {
  it("broken YAML", async () => {
    await writeFile(lab.inventory, `${original}\n  - {`);
    refused(await lab.fleet("rollout", "--yes"), 64, {
      place: /inventory\.yaml:\d+:\d+/,
      cause: /./,
      fix: /fix:|\^/,
    });
  });

  it("no such file", async () => {
    refused(await lab.fleet("plan", "-i", "nowhere.yaml"), 64, {
      place: /nowhere\.yaml/,
      cause: /no inventory/,
      fix: /fix:/,
    });
  });

  it("ten mistakes and more: all at once, each with its place", async () => {
    const ran = await lab.fleet("inventory", "validate", "-i", MISTAKES);
    expect(ran.code).toBe(64);
    const said = `${ran.stdout}${ran.stderr}`;
    const places = new Set(said.match(/mistakes\.yaml:\d+:\d+ error E\d+/g));
    expect(places.size).toBeGreaterThanOrEqual(10);
    expect(said).not.toMatch(/K10f00dfeed|deadbeefcafe/);
    const data = await lab.fleet("inventory", "validate", "-i", MISTAKES, "-o", "json");
    expect(data.code).toBe(64);
    expect(() => JSON.parse(data.stdout)).not.toThrow();
    expect(data.stdout).not.toMatch(/K10f00dfeed|deadbeefcafe/);
  });

  it("two hosts with one address", async () => {
    await writeFile(lab.inventory, original.replaceAll(/port: \d+/g, "port: 2222"));
    refused(await lab.fleet("rollout", "--yes"), 64, {
      place: /inventory\.yaml:\d+:\d+/,
      cause: /node-0[12].*(same|address|already)/,
      fix: /fix:|address/,
    });
  });

  it("a mesh without a bootstrap host", async () => {
    await writeFile(lab.inventory, original.replaceAll(/role: (bootstrap|gateway)/g, "role: peer"));
    const ran = await lab.fleet("inventory", "validate");
    expect(`${ran.stdout}${ran.stderr}`).toMatch(/bootstrap/);
    expect([0, 64]).toContain(ran.code);
  });

  it("a key file that is not there", async () => {
    await edited("identityFile: id_ed25519", "identityFile: id_nowhere");
    refused(await lab.fleet("rollout", "--yes"), 64, {
      place: /id_nowhere/,
      cause: /no such|not (there|found)|missing|does not exist/i,
      fix: /fix:/,
    });
  });

  it("--limit without a match", async () => {
    refused(await lab.fleet("rollout", "--yes", "-l", "nope"), 64, {
      place: /--limit/,
      cause: /nope/,
      fix: /Hosts are node-01/,
    });
  });

  it("and nothing was begun by any of it", async () => untouched());
});

describe("the command line", () => {
  it.each<[string, string[], RegExp, RegExp]>([
    ["an unknown command", ["rolout"], /unknown command 'rolout'/, /Did you mean rollout\?/],
    ["an unknown subcommand", ["rollout", "statsu"], /unknown command 'rollout statsu'/, /rollout status/],
    ["an unknown option", ["rollout", "--canry", "10%"], /unknown option '--canry'/, /--canary/],
    ["an unknown format", ["plan", "-o", "xml"], /xml/, /human.*plain.*json.*ndjson/],
    ["shrinking waves", ["plan", "--waves", "50%,10%"], /waves must grow/, /fix:/],
    ["waves that do not reach everybody", ["plan", "--waves", "10%,50%"], /waves must end at 100/, /fix:/],
    ["waves of words", ["plan", "--waves", "10%,half"], /"half"/, /--waves 10%,50%,100%/],
    ["a fraction of a percent", ["plan", "--canary", "7.5%"], /7\.5/, /fix:/],
    ["an amount of nothing", ["plan", "--max-failures", "5x"], /"5x"/, /fix:/],
    ["nobody at a time", ["plan", "--max-parallel", "0"], /maxParallel 0/, /at least 1/],
    ["no copy at a time", ["plan", "--copy-parallel", "0"], /copy-parallel.*1 to 256/i, /fix:/],
    ["half a copy", ["rollout", "--copy-parallel", "2.5"], /copy-parallel.*1 to 256/i, /fix:/],
    ["too many copies", ["plan", "--copy-parallel", "257"], /copy-parallel.*1 to 256/i, /fix:/],
    ["nobody may be down", ["plan", "--max-unavailable", "0"], /maxUnavailable/, /fix:/],
    [
      "timers out of order",
      ["plan", "--min-healthy-time", "20m"],
      /healthyDeadline|healthy-deadline/,
      /fix:/,
    ],
    ["a duration of words", ["plan", "--soak", "canary=soon"], /soon/, /canary=15m/],
    ["a quorum for nobody", ["plan", "--min-available", "janitor=2"], /janitor/, /bootstrap=2/],
    ["no terminal and no --yes", ["rollout"], /nobody can be asked/, /--yes/],
  ])("%s", async (_what, args, cause, fix) => {
    refused(await lab.fleet(...args), 64, { cause, fix });
  });

  it("--timeout: gives up with 124", async () => {
    refused(await lab.fleet("plan", "--timeout", "1ms"), 124, { cause: /--timeout/, fix: /fix:/ });
  });

  it("and nothing was begun by any of it", async () => untouched());
});

describe("the hosts", () => {
  it("a refused key", async () => {
    const other = await startLab({ hosts: 1 });
    try {
      await writeFile(
        join(lab.dir, "lab", "id_other"),
        await readFile(join(other.dir, "lab", "id_ed25519")),
        { mode: 0o600 },
      );
    } finally {
      await other.down();
    }
    await edited("identityFile: id_ed25519", "identityFile: id_other");
    const ran = await lab.fleet("rollout", "--yes", "--check");
    expect(`${ran.stdout}${ran.stderr}`).toMatch(/not reached while planning|auth-refused/);
    const status = await lab.fleet("status");
    expect(status.code).not.toBe(0);
    expect(`${status.stdout}${status.stderr}`).toMatch(/auth-refused|refused/);
  });

  it("a changed host key: hard stop, and known_hosts stays as it is", async () => {
    const before = readFileSync(knownHosts, "utf8");
    await lab.fault("node-01", "wrong-host-key");
    const ran = await lab.fleet("status", "--accept-new");
    await lab.fault("node-01", "none");
    expect(ran.code).not.toBe(0);
    expect(`${ran.stdout}${ran.stderr}`).toMatch(/HOST KEY CHANGED/);
    expect(`${ran.stdout}${ran.stderr}`).toMatch(/known_hosts:\d+/);
    expect(readFileSync(knownHosts, "utf8")).toBe(before);
  });

  it("a rollback of a host out of reach", async () => {
    await lab.fault("node-01", "unreachable");
    const ran = await lab.fleet("rollback", "node-01", "--yes");
    await lab.fault("node-01", "none");
    refused(ran, 4, { place: /node-01/, cause: /unreachable|refused/, fix: /fix:/ });
  });

  it("and nothing was begun by any of it", async () => untouched());
});

describe("saved plans", () => {
  const saved = () => join(lab.dir, "p.json");
  const plan = async (): Promise<string> => (await lab.must("plan", "-o", "json")).stdout;

  it("no plan at all, and broken JSON", async () => {
    await writeFile(saved(), "{}");
    refused(await lab.fleet("rollout", saved(), "--yes"), 64, {
      place: /p\.json/,
      cause: /not a saved plan/,
      fix: /plan -o json/,
    });
    await writeFile(saved(), "{");
    refused(await lab.fleet("rollout", saved(), "--yes"), 64, {
      place: /p\.json/,
      cause: /not a saved plan/,
      fix: /plan -o json/,
    });
  });

  it("edited after it was made", async () => {
    const value = JSON.parse(await plan());
    value.waves = [{ ...value.waves[0], hosts: value.hosts.map((h: { name: string }) => h.name) }];
    await writeFile(saved(), JSON.stringify(value));
    refused(await lab.fleet("rollout", saved(), "--yes"), 1, {
      cause: /edited after it was made/,
      fix: /plan again/,
    });
    delete value.policy;
    await writeFile(saved(), JSON.stringify(value));
    const ran = await lab.fleet("rollout", saved(), "--yes");
    expect([1, 64]).toContain(ran.code);
    expect(ran.stderr).toMatch(/plan -o json/);
    await untouched();
  });

  it("runs as it is, once; then the fleet has moved", async () => {
    await writeFile(saved(), await plan());
    const ran = await lab.fleet("rollout", saved(), "--yes");
    expect(ran.code, ran.stderr).toBe(0);
    expect(await lab.revisions()).toEqual({ "node-01": "r2", "node-02": "r2" });
    const again = await lab.fleet("rollout", saved(), "--yes");
    refused(again, 1, { place: /node-01/, cause: /the fleet has moved|already/, fix: /plan again|rollout/ });
  });
});

describe("the state file", () => {
  const snapshot = () => readFileSync(stateDb);

  it("of a newer version: refused, left as it is", async () => {
    const db = new DatabaseSync(stateDb);
    db.exec("PRAGMA user_version = 9999");
    db.close();
    const before = snapshot();
    refused(await lab.fleet("rollout", "history"), 1, { place: /state\.db/, cause: /newer/, fix: /fix:/ });
    expect(snapshot().equals(before)).toBe(true);
  });

  it("corrupt: refused, left as it is", async () => {
    for (const name of readdirSync(join(stateDb, ".."))) {
      if (name.startsWith("state.db-")) await rm(join(stateDb, "..", name));
    }
    await writeFile(stateDb, "this is not a database, whatever its name says".repeat(100));
    const before = snapshot();
    refused(await lab.fleet("rollout", "--yes"), 1, {
      place: /state\.db/,
      cause: /not a|corrupt|damaged/,
      fix: /fix:/,
    });
    expect(snapshot().equals(before)).toBe(true);
    expect(await lab.revisions()).toEqual({ "node-01": "r2", "node-02": "r2" });
  });
});
