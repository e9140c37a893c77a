/**
 * How fast, measured; not a test. `node test/bench/bench.ts [help] [scale] [rollout] [exec]`, all without an argument.
 * Ratios are taken within one run on one machine; absolute times only mean something beside the machine's name.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { simulateRollout } from "../../src/simulation/forecast.ts";
import { NODE, PROGRAM } from "../support/cli-process.ts";
import { aHost, anInventory, aPlan } from "../support/fleet.ts";
import { createWorkspace, sshdMissing, startSshd } from "../support/sshd.ts";
import { type Cost, measure, median } from "./process.ts";

const fleet = (args: readonly string[], env: Record<string, string>): Promise<Cost> =>
  measure(NODE, [PROGRAM, ...args], env);
const say = (text: string) => console.log(text);
const seconds = (s: number) => `${s.toFixed(2)} s`;

/** `--help` against importing every command there is, in turns. Promised: under a quarter. */
async function help(env: Record<string, string>): Promise<void> {
  const catalog = fileURLToPath(new URL("../../src/cli/catalog.ts", import.meta.url));
  const everything = `const { CATALOG } = await import(${JSON.stringify(catalog)}); for (const c of CATALOG) await c.load();`;
  for (const [what, extra] of [
    ["without a compile cache", { NODE_DISABLE_COMPILE_CACHE: "1" }],
    ["with a warm compile cache", {}],
  ] as const) {
    const helps: number[] = [];
    const imports: number[] = [];
    for (let i = 0; i < 6; i++) {
      helps.push((await fleet(["--help"], { ...env, ...extra })).wall);
      imports.push(
        (
          await measure(NODE, ["--input-type=module", "-e", everything], {
            ...env,
            ...extra,
            NODE_COMPILE_CACHE: join(env.HOME ?? "", "cc"),
          })
        ).wall,
      );
    }
    // The first of each warms the cache.
    const [ours, all] = [median(helps.slice(1)), median(imports.slice(1))];
    const bare = (await measure(NODE, ["-e", "0"], env)).wall;
    say(
      `help ${what}: ${seconds(ours)}, full import ${seconds(all)}, ratio ${(ours / all).toFixed(2)}; without Node's own start (${seconds(bare)}) ${((ours - bare) / (all - bare)).toFixed(2)}`,
    );
  }
}

/** A whole rollout in virtual time, by fleet size: what one event costs must not grow with the fleet. Promised: under twice. */
async function scale(): Promise<void> {
  const ofSize = async (n: number) => {
    const inventory = rangesOf(n);
    const before = process.cpuUsage();
    const plan = aPlan(inventory);
    const planned = process.cpuUsage(before);
    const { events, updated } = await simulateRollout(plan, inventory);
    const { user, system } = process.cpuUsage(before);
    const [planning, all] = [(planned.user + planned.system) / 1e6, (user + system) / 1e6];
    return { n, events, updated, planning, rolling: all - planning };
  };
  await ofSize(100); // Warm: what is compiled later is no part of the comparison.
  const runs = [];
  for (const n of [500, 5000]) {
    const run = await ofSize(n);
    runs.push(run);
    say(
      `scale: ${n} hosts, ${run.updated} updated: plan ${seconds(run.planning)} CPU, rollout ${seconds(run.rolling)} CPU, ${run.events} events, ${((run.rolling / run.events) * 1e6).toFixed(0)} us each`,
    );
  }
  const [small, large] = runs.map((run) => run.rolling / run.events);
  say(`scale: an event of 5000 hosts costs ${((large ?? 0) / (small ?? 1)).toFixed(2)} times one of 500`);
}

/** 50 hosts a site, with the timers of real fleets. */
function rangesOf(n: number) {
  const minute = 60_000;
  return anInventory(
    Array.from({ length: n }, (_, i) =>
      aHost(`h-${i}`, i < 3 ? "bootstrap" : i % 50 === 49 ? "gateway" : "peer", {
        site: `site-${Math.floor(i / 50)}`,
      }),
    ),
    {
      maxParallel: { kind: "percent", pct: 10 },
      maxParallelCap: 25,
      maxUnavailable: { fleet: { kind: "percent", pct: 10 }, clusters: {} },
      perSite: { activating: 1, copying: 2 },
      confirmTimeoutMs: 3 * minute,
      minHealthyTimeMs: minute,
      healthyDeadlineMs: 10 * minute,
      progressDeadlineMs: 30 * minute,
      soak: { canaryMs: 15 * minute, waveMs: [5 * minute] },
      finalBakeMs: 10 * minute,
      offline: { policy: "defer", catchUpMs: 1e9, unreachableDeadlineMs: 10 * minute },
    },
  );
}

async function rollout(env: Record<string, string>, hosts = 200): Promise<void> {
  const dir = join(env.HOME ?? "", "lab");
  await fleet(["lab", "up", "--hosts", String(hosts), "--sites", "10", "--dir", dir], env);
  try {
    const inventory = join(dir, "inventory.yaml");
    const cost = await fleet(["rollout", "-i", inventory, "--yes", "-o", "ndjson"], env);
    const events = cost.stdout.trim().split("\n").length - 1;
    say(
      `rollout of ${hosts} hosts: exit ${cost.code}, ${seconds(cost.wall)} wall, ${seconds(cost.cpu)} CPU, ${cost.peak.toFixed(0)} MiB peak, ${events} events`,
    );
  } finally {
    await fleet(["lab", "down", "--dir", dir], env);
  }
}

/** `exec -- true` on N real sshds against `xargs -P ssh`, both with the same parallelism and cold connections. */
async function exec(env: Record<string, string>, n = 50, forks = 10): Promise<void> {
  const missing = sshdMissing();
  if (missing !== undefined) return say(`exec: skipped, ${missing}`);
  await using workspace = await createWorkspace();
  const key = workspace.key("id");
  const hostKey = workspace.key("host");
  await using servers = new AsyncDisposableStack();
  const all: number[] = [];
  // One sshd listens on 16 ports at most.
  while (all.length < n) {
    const more = Array.from({ length: Math.min(15, n - all.length - 1) }, (_, i) => 42_000 + all.length + i);
    const sshd = await startSshd(workspace, {
      hostKeys: [hostKey],
      authorizedKeys: [await workspace.publicKey("id")],
      config: more.map((port) => `ListenAddress 127.0.0.1:${port}`),
    });
    servers.use(sshd);
    all.push(sshd.port, ...more);
  }
  const user = userInfo().username;
  const known = join(workspace.dir, "known_hosts");
  const proof = await workspace.publicKey("host");
  await writeFile(known, all.map((port) => `[127.0.0.1]:${port} ${proof}\n`).join(""));
  const inventory = join(workspace.dir, "inventory.yaml");
  await writeFile(
    inventory,
    [
      "apiVersion: macula.io/v1",
      "kind: FleetInventory",
      "fleet: { name: bench, realm: org.example.bench, flake: ./flake, release: '26.05' }",
      `defaults: { user: ${user}, ssh: { identityFile: ${key}, knownHosts: ${known} }, disk: { device: auto } }`,
      "hosts:",
      ...all.map(
        (port, i) =>
          `  node-${i + 1}: { address: 127.0.0.1, port: ${port}, role: ${i === 0 ? "bootstrap, mesh: { publicAddress: 'a.invalid:443' }" : "peer"} }`,
      ),
      "",
    ].join("\n"),
  );
  const ours: Cost[] = [];
  const theirs: Cost[] = [];
  for (let i = 0; i < 3; i++) {
    ours.push(
      await fleet(
        ["exec", "-i", inventory, "--forks", String(forks), "-o", "json", "--yes", "--", "true"],
        env,
      ),
    );
    const options = [
      "-F",
      "none",
      "-i",
      key,
      "-o",
      `UserKnownHostsFile=${known}`,
      "-o",
      "StrictHostKeyChecking=yes",
      "-o",
      "BatchMode=yes",
    ];
    theirs.push(
      await measure(
        "xargs",
        ["-P", String(forks), "-I{}", "ssh", ...options, "-p", "{}", `${user}@127.0.0.1`, "true"],
        env,
        all.join("\n"),
      ),
    );
  }
  const [a, b] = [median(ours.map((c) => c.wall)), median(theirs.map((c) => c.wall))];
  say(
    `exec -- true on ${n} sshds, ${forks} at a time: exit ${ours[0]?.code}, ours ${seconds(a)}, xargs ssh ${seconds(b)} (exit ${theirs[0]?.code}), ratio ${(a / b).toFixed(2)}`,
  );
}

const wanted = process.argv.slice(2);
const home = await mkdtemp(join(tmpdir(), "macula-bench-"));
const env = { HOME: home, XDG_STATE_HOME: join(home, "state"), XDG_CACHE_HOME: join(home, "cache") };
say(`${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}`);
try {
  for (const [name, bench] of Object.entries({ help, scale, rollout, exec })) {
    if (wanted.length === 0 || wanted.includes(name)) await bench(env);
  }
} finally {
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
}
