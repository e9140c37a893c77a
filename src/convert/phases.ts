/** An installation's phases with a conversion's own between them. */
import { readFile, writeFile } from "node:fs/promises";
import { FleetError } from "../errors.ts";
import { HARMFUL_LABELS } from "../import/map/k3s.ts";
import { keysOf, type PhaseContext } from "../install/context.ts";
import { INSTALL_PHASES, type InstallPhase, type Move } from "../install/phases.ts";
import { atPlace } from "../install/whereabouts.ts";
import type { Host } from "../inventory/model.ts";
import { archiveTexts } from "./backup/archive.ts";
import { checkDatastore } from "./backup/datastore.ts";
import { compareManifests, type Manifest, manifestFromJson, manifestJson } from "./backup/manifest.ts";
import { expectedManifest, restore } from "./backup/restore.ts";
import { assertBackup, type Backup, readManifest } from "./backup/take.ts";
import type { ConvertDeps } from "./deps.ts";
import { cluster, parseNodes } from "./k3s/kubectl.ts";
import { fateOf, isLiving, keptPaths } from "./keep.ts";
import type { ConversionPlan } from "./plan.ts";
import { assertQuorum, onCluster } from "./prepare.ts";
import { type Proof, prove } from "./proofs.ts";

const MINUTE = 60_000;
/** Where an installer has the new system. */
const INSTALLER_ROOT = "/mnt";
export const proofsFile = (archive: string): string => archive.replace(/\.tar\.age$/, ".proofs.json");
const restoredFile = (archive: string): string => archive.replace(/\.tar\.age$/, ".restored.json");

export function conversionPhases(
  plan: ConversionPlan,
  backup: Backup,
  deps: ConvertDeps,
  archive: { readonly current: boolean },
): readonly InstallPhase[] {
  return INSTALL_PHASES.flatMap((phase): readonly InstallPhase[] => {
    switch (phase.name) {
      case "kexec":
        return [{ ...phase, run: (c, deadline) => ifArchived(phase, archive.current, c, deadline) }];
      case "disko":
        return [{ ...phase, gate: (c, to) => lastLook(phase, plan, backup, deps, c, to) }];
      case "install":
        return [
          phase,
          {
            name: "restore",
            state: "restoring",
            intent: "puts back what is kept",
            deadlineMs: 24 * 60 * MINUTE,
            run: (c) => putBack(plan, backup, deps, c),
          },
        ];
      case "verify":
        return [
          phase,
          {
            name: "prove",
            state: "verifying",
            intent: "proves that everything kept is there",
            deadlineMs: 10 * MINUTE,
            run: (c, deadline) => proveAll(plan, backup, deps, c, deadline),
          },
        ];
      default:
        return [phase];
    }
  });
}

/** Leaves k3OS for good only if it has not run since its archive was last compared with it. */
async function ifArchived(
  phase: InstallPhase,
  current: boolean,
  c: PhaseContext,
  deadline: number,
): Promise<void> {
  if (!current)
    throw new FleetError(
      "copy-failed",
      `${c.host.name} runs k3OS again: its archive may be older than its data`,
      {
        hint: `macula-fleet convert ${c.host.name} --continue compares them, and copies again what changed`,
      },
    );
  await phase.run(c, deadline);
}

/** Before the point of no return: the archive from first to last byte, then everything an installation asks. */
async function lastLook(
  phase: InstallPhase,
  plan: ConversionPlan,
  backup: Backup,
  deps: ConvertDeps,
  c: PhaseContext,
  to: Move,
): Promise<void> {
  c.note("reads the archive once more before anything is erased");
  await assertBackup(backup, deps.key, plan.conversion.host, c.signal);
  // After the archive, which may take an hour to read.
  await phase.gate?.(c, to);
  const { node, strategy } = plan.conversion;
  if (!node || !strategy.ok || strategy.kind !== "etcd-member") return;
  await assertQuorum(plan, deps, c.signal);
  // Last of all: until here the old member could simply have gone on.
  await to("leaving", "its member of etcd is deleted: it joins again as a new one");
  await onCluster(plan, deps, cluster.forget(node.name), c.signal);
}

const carries = (plan: ConversionPlan): boolean =>
  plan.conversion.strategy.ok && plan.conversion.strategy.datastore;

/** Before the new system's first start: nothing of it has run yet, so everything must be exactly equal. */
async function putBack(
  plan: ConversionPlan,
  backup: Backup,
  deps: ConvertDeps,
  c: PhaseContext,
): Promise<void> {
  const datastore = carries(plan);
  const installer = atPlace(c.host, c.place ?? c.host, keysOf(c));
  await using session = await deps.connect(installer, c.signal);
  const { file, manifest } = backup;
  await restore(session, {
    file,
    key: deps.key,
    manifest,
    datastore,
    root: INSTALLER_ROOT,
    signal: c.signal,
  });
  const found = await readManifest(session, { base: INSTALLER_ROOT, paths: keptPaths() }, c.signal);
  const differences = compareManifests(expectedManifest(manifest, { datastore }), found, { exact: false });
  const [first] = differences;
  if (first) {
    throw new FleetError(
      "install-failed",
      `${differences.length} files were not put back as they were: /${first.path} ${first.what}`,
      {
        hint: `the archive is whole: ${file}; macula-fleet convert ${c.host.name} --continue puts them back again`,
      },
    );
  }
  await writeFile(restoredFile(file), manifestJson(found), { mode: 0o600 });
}

async function proveAll(
  plan: ConversionPlan,
  backup: Backup,
  deps: ConvertDeps,
  c: PhaseContext,
  deadline: number,
): Promise<void> {
  const datastore = carries(plan);
  const pinned: Host = { ...c.host, identity: { ...c.host.identity, hostKeys: [c.identity.publicKey] } };
  await using session = await deps.connect(pinned, c.signal);
  const now = await readManifest(session, { base: deps.newRoot, paths: keptPaths() }, c.signal);
  const restored = manifestFromJson(await readFile(restoredFile(backup.file), "utf8"));
  const texts = await archiveTexts(backup.file, deps.key, () => true);
  const proofs = [
    ...prove({
      archive: backup.manifest,
      expected: expectedManifest(backup.manifest, { datastore }),
      found: together(restored, now, datastore),
      texts,
      datastore,
      database: await checkDatastore(backup.file, deps.key, c.workDir),
      presented: session.hostKeyFingerprint,
      loginKeys: Object.values(c.host.users).flatMap((u) => u.keys),
      keysLeft: plan.conversion.keysLeft,
      importedBefore: plan.conversion.imported,
      importedNow: deps.reimport(texts),
    }),
    ...(await backInCluster(plan, deps, c, deadline)),
  ];
  await writeFile(proofsFile(backup.file), `${JSON.stringify(proofs, null, 2)}\n`, { mode: 0o600 });
  const failed = proofs.filter((p) => !p.ok);
  const [first] = failed;
  if (first) {
    throw new FleetError(
      "install-failed",
      `${failed.length} of ${proofs.length} proofs failed: ${first.what}: ${first.detail}`,
      {
        hint: `everything is in ${backup.file}; see all of them: ${proofsFile(backup.file)}`,
        data: { proofs },
      },
    );
  }
  c.note(`preserved ${proofs.length}/${proofs.length}`);
}

/** What changes once it lives was compared before it did. */
function together(restored: Manifest, now: Manifest, datastore: boolean): Manifest {
  const living = (path: string) => {
    const row = fateOf(path, { datastore })?.row;
    return row !== undefined && isLiving(row);
  };
  return new Map([...[...restored].filter(([p]) => living(p)), ...[...now].filter(([p]) => !living(p))]);
}

/** Serving again, under the same name, as the same node, and out of k3OS's upgrade controller's sight. */
async function backInCluster(
  plan: ConversionPlan,
  deps: ConvertDeps,
  c: PhaseContext,
  deadline: number,
): Promise<readonly Proof[]> {
  const { node, strategy } = plan.conversion;
  if (!node || !strategy.ok || strategy.kind === "fresh") return [];
  const until = c.clock.now() + deadline / 2;
  const what = "place in its cluster";
  for (;;) {
    const seen = await onCluster(plan, deps, cluster.nodes(), c.signal).catch((error: unknown) => {
      c.signal.throwIfAborted();
      if (error instanceof FleetError) return null;
      throw error;
    });
    const found = parseNodes(seen?.stdout ?? "").find((n) => n.name === node.name);
    if (found?.ready || c.clock.now() >= until) {
      if (!found?.ready)
        return [
          {
            row: "node",
            what,
            ok: false,
            detail: found ? "it is not ready" : "the cluster does not know it",
          },
        ];
      await onCluster(plan, deps, cluster.strip(node.name, HARMFUL_LABELS), c.signal);
      await onCluster(plan, deps, cluster.uncordon(node.name), c.signal);
      const same = found.uid === node.uid || strategy.kind === "etcd-member";
      return [
        {
          row: "node",
          what,
          ok: same,
          detail: same
            ? `ready as ${node.name}, uid ${found.uid}`
            : `it is another node now: uid ${found.uid}, was ${node.uid}`,
        },
      ];
    }
    await c.clock.sleep(Math.min(5_000, deadline / 50), c.signal);
  }
}
