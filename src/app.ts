/**
 * The composition root: the only place that picks implementations. Commands get an `App` and build nothing
 * themselves; everything heavy is imported when first asked for.
 */
import { hostname, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { FleetError } from "./errors.ts";
import type { Globals } from "./globals.ts";
import type { HostSecret } from "./host/driver.ts";
import type { SshDriver } from "./host/ssh-driver.ts";
import type { LoadedInventory } from "./inventory/load.ts";
import type { CheckConfig, Host, Inventory } from "./inventory/model.ts";
import { seedsOf } from "./inventory/seeds.ts";
import { type Clock, systemClock } from "./kernel/clock.ts";
import { quote } from "./kernel/shell.ts";
import { labLayout, labState } from "./lab/layout.ts";
import type { ClosureSource } from "./nix/closures.ts";
import type { Performer } from "./rollout/perform.ts";
import { defaultStatePath } from "./store/open.ts";
import type { Store } from "./store/store.ts";
import type { SessionPool } from "./transport/pool.ts";
import type { Target } from "./transport/transport.ts";

/** What the program gets from its surroundings; tests hand in their own. */
export interface Process {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly pid: number;
  readonly signals: {
    /** First ^C. */
    readonly drain: AbortSignal;
    /** Second ^C, or `--timeout`. */
    readonly abort: AbortSignal;
    /** Starts the `--timeout` clock. */
    readonly abortAfter: (ms: number) => void;
  };
}

/** The way to a fleet's hosts and systems. */
export interface Remote {
  readonly driver: SshDriver;
  readonly pool: SessionPool;
  readonly closures: ClosureSource;
  readonly targetOf: (host: Host) => Target;
  readonly performer: Performer;
}

export class App implements AsyncDisposable {
  readonly process: Process;
  readonly globals: Globals;
  readonly clock: Clock = systemClock;
  readonly #open: AsyncDisposable[] = [];
  #stated: string | undefined;

  constructor(process: Process, globals: Globals) {
    this.process = process;
    this.globals = globals;
    if (globals.timeout !== undefined) process.signals.abortAfter(globals.timeout);
  }

  /** Ends work that may be stopped at any time: looking, planning, copying. */
  get signal(): AbortSignal {
    return AbortSignal.any([this.process.signals.drain, this.process.signals.abort]);
  }

  /** `me@laptop:4711`: who drives a run or holds a host. */
  get operator(): string {
    const user = this.process.env.USER ?? userInfo().username;
    return `${user}@${hostname()}:${this.process.pid}`;
  }

  /** `human` on a terminal, `plain` elsewhere. */
  get format(): "human" | "plain" | "json" | "ndjson" {
    return this.globals.output ?? (this.process.stdout.isTTY ? "human" : "plain");
  }

  get color(): boolean {
    const { env, stdout } = this.process;
    if (!this.globals.color || (env.NO_COLOR ?? "") !== "") return false;
    return (env.FORCE_COLOR ?? "") !== "" ? env.FORCE_COLOR !== "0" : stdout.isTTY === true;
  }

  /** What the next command needs to mean the same fleet: nothing where the default or the environment names it. */
  get fleetFlags(): string {
    const { state } = this.globals;
    // A store's URL may hold a password: that one is typed again.
    const shown = state === undefined || /:\/\/[^/]*@/.test(state) ? undefined : state;
    return [
      ...(this.#stated === undefined ? [] : ["-i", quote(this.#stated)]),
      ...(shown === undefined ? [] : ["--state", quote(shown)]),
    ].join(" ");
  }

  /** stdout: the answer. */
  print(text: string): void {
    this.process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  }

  /** stderr: remarks for people. */
  note(text: string): void {
    this.process.stderr.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** Reads the inventory named on the command line or found by default, with everything that is wrong with it. */
  async loadInventory(
    path?: string,
    purpose: "install" | "other" = "other",
    edited: Readonly<Record<string, string>> = {},
  ): Promise<LoadedInventory> {
    const { diskFiles, loadInventory } = await import("./inventory/load.ts");
    const { checkProblems } = await import("./health/checks.ts");
    const stated = path ?? this.globals.inventory;
    this.#stated = stated;
    return loadInventory({
      ...(stated === undefined ? {} : { path: stated }),
      cwd: this.process.cwd,
      env: this.process.env,
      now: this.clock.now(),
      purpose,
      files: { ...diskFiles, read: (file) => edited[file] ?? diskFiles.read(file) },
      validateCheck: (check) => checkProblems([check]).map((p) => p.message),
    });
  }

  /**
   * The same, or `inventory-invalid`. An installation asks for more than a rollout does. `edited`: what files would say,
   * by path, that have not been written yet.
   */
  async inventory(
    path?: string,
    purpose?: "install",
    edited?: Readonly<Record<string, string>>,
  ): Promise<Inventory> {
    const { requireValid } = await import("./inventory/load.ts");
    const inventory = requireValid(await this.loadInventory(path, purpose, edited));
    if (!this.globals.acceptNew) return inventory;
    const hosts = inventory.hosts.map((h) => ({
      ...h,
      ssh: { ...h.ssh, hostKeyPolicy: "accept-new" as const },
    }));
    return { ...inventory, hosts };
  }

  /** The hosts `--limit` selects; without it `pattern`, without that all. */
  async hosts(inventory: Inventory, store?: Store, pattern = "all"): Promise<readonly Host[]> {
    const { selectHosts } = await import("./inventory/select.ts");
    const { readFileSync } = await import("node:fs");
    const { hostStates } = await import("./rollout/host-states.ts");
    const states = store ? hostStates(await store.hosts()) : undefined;
    return selectHosts(inventory, this.globals.limit ?? pattern, {
      readFile: (file) => readFileSync(file, "utf8"),
      ...(states ? { hostStates: states } : {}),
    });
  }

  async store(inventory: Inventory): Promise<Store> {
    const { openStore } = await import("./store/open.ts");
    // A lab's runs live and die with the lab.
    const url = this.globals.state ?? (inventory.lab ? labState(inventory.lab.dir) : undefined);
    return this.#own(await openStore(url, { env: this.process.env, fleet: inventory.fleet.name }));
  }

  /** Where this fleet's state lives beside the store: host identities. */
  stateDir(inventory: Inventory): string {
    if (inventory.lab) return labLayout(inventory.lab.dir).state;
    return dirname(defaultStatePath(inventory.fleet.name, this.process.env));
  }

  async remote(inventory: Inventory): Promise<Remote> {
    // A controller of 200 hosts has 30 MiB in use; left to itself V8 holds on to six times that.
    setFlagsFromString("--optimize-for-size");
    const [{ createSshTransport }, { SessionPool }, { createSshDriver }, { targetOf }] = await Promise.all([
      import("./transport/ssh.ts"),
      import("./transport/pool.ts"),
      import("./host/ssh-driver.ts"),
      import("./inventory/target.ts"),
    ]);
    const transport = createSshTransport({ env: this.process.env, connectLimit: this.globals.forks });
    const pool = this.#own(new SessionPool({ transport }));
    const closures = await this.closures(inventory);
    const toTarget = (host: Host) => targetOf(host, inventory);
    const driver = createSshDriver({
      pool,
      closures,
      targetOf: toTarget,
      ...(inventory.cache ? { cache: inventory.cache } : {}),
      seedOf: seedsOf(inventory),
    });
    return {
      driver,
      pool,
      closures,
      targetOf: toTarget,
      performer: {
        driver,
        hosts: new Map(inventory.hosts.map((h) => [h.name, h])),
        checks: checksOf(inventory),
        secrets: await this.secrets(inventory),
      },
    };
  }

  /** What a host must have besides its system; every reference is read once. Throws `secret-unavailable`. */
  async secrets(inventory: Inventory): Promise<(host: Host) => Promise<readonly HostSecret[]>> {
    const [{ gatherSecrets }, { resolveOnce }] = await Promise.all([
      import("./install/secrets/gather.ts"),
      import("./install/secrets/once.ts"),
    ]);
    const deps = { baseDir: inventory.baseDir, env: this.process.env, signal: this.process.signals.abort };
    const resolve = resolveOnce();
    return async (host) => {
      const files = await gatherSecrets(host, inventory, deps, resolve);
      return files.filter((file) => !file.installOnly);
    };
  }

  async closures(inventory: Inventory): Promise<ClosureSource> {
    if (inventory.lab?.backend === "sim") {
      const { createSimClosureSource } = await import("./lab/sim-source.ts");
      return createSimClosureSource(inventory.lab.dir);
    }
    if (inventory.lab?.backend === "docker") {
      const { createLabClosureSource } = await import("./lab/docker/lab-flake.ts");
      return createLabClosureSource(join(inventory.lab.dir, "flake"));
    }
    const [{ createFlakeClosureSource }, { createNixRunner }] = await Promise.all([
      import("./nix/flake-source.ts"),
      import("./nix/runner.ts"),
    ]);
    return createFlakeClosureSource({
      flakeRef: inventory.fleet.flake,
      baseDir: inventory.baseDir,
      run: createNixRunner(),
      memory: join(this.stateDir(inventory), "evaluations"),
      inputs: await this.flakeInputs(inventory),
    });
  }

  /** What the fleet's flake gets in place of its own inputs: this inventory, resolved. */
  async flakeInputs(inventory: Inventory): Promise<Readonly<Record<string, string>>> {
    const { handOver } = await import("./nix/inventory-input.ts");
    const { toResolvedJson } = await import("./inventory/resolved-json.ts");
    return { inventory: await handOver(this.stateDir(inventory), toResolvedJson(inventory)) };
  }

  /**
   * Asks on a terminal; elsewhere, or with `-o json`, what would have been asked needs `--yes`.
   * Throws `needs-confirmation`; false means the person said no.
   */
  async confirm(question: string): Promise<boolean> {
    if (this.globals.yes) return true;
    const { stdin, stdout } = this.process;
    if (!stdin.isTTY || !stdout.isTTY || this.format === "json" || this.format === "ndjson") {
      throw new FleetError("needs-confirmation", `not a terminal, so nobody can be asked: ${question}`, {
        hint: "look first (plan, --check, status), then run it again with --yes",
      });
    }
    const { confirm, isCancel } = await import("@clack/prompts");
    const answer = await confirm({ message: question, initialValue: false, signal: this.signal });
    return !isCancel(answer) && answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#open.reverse()) await resource[Symbol.asyncDispose]();
  }

  #own<T extends AsyncDisposable>(resource: T): T {
    this.#open.push(resource);
    return resource;
  }
}

/** The fleet's checks, then the host's own; with none stated, that no unit newly failed. */
export function checksOf(inventory: Inventory): (host: Host) => readonly CheckConfig[] {
  const fallback: readonly CheckConfig[] = [{ name: "units", type: "systemd" }];
  return (host) => {
    const all = [...inventory.checks, ...host.checks];
    return all.length > 0 ? all : fallback;
  };
}
