/** Planning and driving a conversion for the command line. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { App, Remote } from "../app.ts";
import { archiveKey } from "../convert/backup/keys.ts";
import type { ConvertDeps } from "../convert/deps.ts";
import { cluster as ask, parseNodes } from "../convert/k3s/kubectl.ts";
import { KEEP } from "../convert/keep.ts";
import { loginKeysIn } from "../convert/login-keys.ts";
import { asNixos, type ConversionPlan, planConversion } from "../convert/plan.ts";
import { fragmentOf } from "../convert/reimport.ts";
import { survey } from "../convert/survey.ts";
import { FleetError } from "../errors.ts";
import { importNode } from "../import/import-node.ts";
import { nodeFiles } from "../import/node-files.ts";
import { readHost } from "../import/read/host.ts";
import { missingSecrets } from "../install/secrets/check.ts";
import { gatherSecrets } from "../install/secrets/gather.ts";
import type { Host, Inventory } from "../inventory/model.ts";
import { digest, newRunId } from "../rollout/launch.ts";
import { type FleetWorld, installSurroundings } from "./install-surroundings.ts";
import { findAnywhere } from "./installing.ts";
import { pinInto } from "./pinning.ts";

export interface ConvertOptions {
  readonly to?: string | undefined;
  readonly nixosAnywhere?: string | undefined;
  readonly kexec?: string | undefined;
  readonly archiveDir?: string | undefined;
  readonly phaseDeadline?: number | undefined;
  readonly workloadsInGit: boolean;
  readonly carryDatastore: boolean;
  /** GiB. */
  readonly volumesLimit: number;
  readonly mbps: number;
}

export interface ConvertWorld extends FleetWorld {
  readonly host: Host;
}

/** What nixpkgs of this fleet calls `k3s`, unless the inventory pins another. */
const TARGET_MINOR = "1.35";

export async function makeConversionPlan(
  app: App,
  world: ConvertWorld,
  options: ConvertOptions,
): Promise<ConversionPlan> {
  const { inventory, remote, host } = world;
  const { signal } = app;
  await using session = await remote.pool.session(remote.targetOf(host), signal);
  const facts = await remote.driver.facts(host, { signal });
  const looked = await survey(session, signal);
  const files = await readHost(session, signal);
  const revision = await remote.closures.revision(options.to, { signal });
  const building = [asNixos(host)];
  const [systems, disko, troubles] = await Promise.all([
    remote.closures.build(building, revision, { signal }),
    remote.closures.disko(building, revision, { signal }),
    missingSecrets(building, inventory, { baseDir: inventory.baseDir, env: app.process.env, signal }),
  ]);
  const server = serverFor(host, looked.role, inventory);
  const cluster = await nodesFrom(remote, server, signal);
  return planConversion({
    id: newRunId("i", app.clock.now()),
    inventory,
    host,
    revision,
    now: app.clock.now(),
    facts,
    systems,
    disko,
    troubles,
    digest,
    survey: looked,
    nodes: cluster.nodes,
    nodesProblem: cluster.problem,
    server: server?.name ?? null,
    needsHuman: undecided(importNode(files, { name: host.name, address: host.address }).needsHuman),
    loginKeys: LOGIN_FILES.flatMap((path) => loginKeysIn(files.text(path) ?? "")),
    imported: fragmentOf(files, host.name),
    targetMinor: TARGET_MINOR,
    workloadsInGit: options.workloadsInGit,
    carry: options.carryDatastore,
    volumesLimit: options.volumesLimit * 1024 * 1024,
    mbps: options.mbps,
  });
}

const LOGIN_FILES = KEEP.find((row) => row.id === "login-keys")?.paths ?? [];

/** The inventory that is being used has answered the rest: the node's cluster, disk and address stand in it. */
const undecided = <T extends { readonly topic: string }>(human: readonly T[]): readonly T[] =>
  human.filter((n) => !["address", "name", "machine", "disk", "k3s", "ssh keys"].includes(n.topic));

/** An agent's cluster is spoken to through one of its servers. */
function serverFor(host: Host, role: string, inventory: Inventory): Host | null {
  if (role === "none") return null;
  const servers = inventory.hosts.filter(
    (h) => h.k3s.role === "server" && h.k3s.cluster === host.k3s.cluster && host.k3s.cluster !== undefined,
  );
  return servers.find((h) => h.name !== host.name) ?? (role === "server" ? host : null);
}

async function nodesFrom(remote: Remote, server: Host | null, signal: AbortSignal) {
  const none = (problem: string) => ({ nodes: [], problem });
  if (server === null) return none("no server of its cluster is in the inventory");
  try {
    await using session = await remote.pool.session(remote.targetOf(server), signal);
    const { code, stdout, stderr } = await session.run(ask.nodes(), { signal, timeoutMs: 60_000 });
    if (code !== 0) return none(`${server.name}: ${stderr.trim().split("\n").at(-1) || `exit ${code}`}`);
    const nodes = parseNodes(stdout);
    return nodes.length === 0 ? none(`${server.name} lists none`) : { nodes, problem: null };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof FleetError) return none(`${server.name}: ${error.message}`);
    throw error;
  }
}

export async function convertDeps(
  app: App,
  world: ConvertWorld,
  options: ConvertOptions,
): Promise<ConvertDeps> {
  const { inventory, remote, host } = world;
  const { env, cwd } = app.process;
  const stateDir = app.stateDir(inventory);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  return {
    install: {
      ...installSurroundings(
        app,
        world,
        findAnywhere(inventory, options.nixosAnywhere, { env, cwd }),
        options,
      ),
      secretsFor: (h) =>
        gatherSecrets(h, inventory, { baseDir: inventory.baseDir, env, signal: app.process.signals.abort }),
      pin: pinInto(env.HOME ?? "/", inventory),
      parallel: 1,
    },
    connect: (h, signal) => remote.pool.fresh(remote.targetOf(h), signal),
    key: await archiveKey(join(stateDir, "identities")),
    archiveDir: options.archiveDir ?? join(stateDir, "archives"),
    reimport: (texts) => fragmentOf(nodeFiles(texts), host.name),
    // A container keeps what was installed where the installer put it.
    newRoot: inventory.lab?.backend === "docker" ? "/mnt" : "/",
    drainSeconds: 300,
  };
}
