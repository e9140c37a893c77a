/**
 * How fast, measured; not a test. `node test/bench/bench.ts [help] [rollout] [exec]`, all without an argument.
 * Ratios are taken within one run on one machine; absolute times only mean something beside the machine's name.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { NODE, PROGRAM } from "../support/cli-process.ts";
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
  for (const [name, bench] of Object.entries({ help, rollout, exec })) {
    if (wanted.length === 0 || wanted.includes(name)) await bench(env);
  }
} finally {
  await rm(home, { recursive: true, force: true, maxRetries: 5 });
}
