/** Drives one journalled conversion: prepared by us, installed like any machine, with more to do between the phases. */
import { readFile } from "node:fs/promises";
import { FleetError, toFailure } from "../errors.ts";
import { begin, driveInstall } from "../install/engine.ts";
import type { HostIdentity, IdentityVault } from "../install/identity.ts";
import { RunJournal } from "../install/journal.ts";
import { listen } from "../install/words.ts";
import type { Host } from "../inventory/model.ts";
import { Channel } from "../kernel/channel.ts";
import { Secret } from "../kernel/secret.ts";
import { moved, runMoved } from "../rollout/bodies.ts";
import type { FleetEvent, HostState } from "../rollout/events.ts";
import { LEASE_TTL_MS, takeLease } from "../rollout/run-lease.ts";
import { replay } from "../rollout/state.ts";
import { summarize } from "../rollout/summary.ts";
import { bareKey } from "../transport/public-key.ts";
import { archiveTexts } from "./backup/archive.ts";
import { manifestFromJson } from "./backup/manifest.ts";
import type { Backup } from "./backup/take.ts";
import type { ConvertDeps } from "./deps.ts";
import { conversionPhases } from "./phases.ts";
import { asNixos, type ConversionPlan } from "./plan.ts";
import { prepare } from "./prepare.ts";
import { reachedBy, recoveryFrom } from "./recovery.ts";
import { survey } from "./survey.ts";

interface Signals {
  readonly drain: AbortSignal;
  readonly abort: AbortSignal;
}

/** Yields what it appends. What it did before is not done again: an archive stays as long as it is all there is. */
export async function* driveConvert(
  runId: string,
  deps: ConvertDeps,
  signals: Signals,
): AsyncGenerator<FleetEvent, void, undefined> {
  const { store } = deps.install;
  const history = await store.events(runId);
  const plan = replay(history)?.plan as ConversionPlan | undefined;
  if (!plan?.conversion)
    throw new FleetError("rollout-not-found", `${runId} is no conversion`, {
      hint: "macula-fleet rollout history",
    });
  const host = deps.install.hosts.get(plan.conversion.host);
  if (!host) throw new FleetError("plan-stale", `the inventory has no host ${plan.conversion.host} any more`);
  const archived = await backupOf(history, host.name);
  // k3OS may have served, and written, since it was archived: after a power cycle it starts again by itself.
  const current = archived === null || (await runsK3os(plan, host, deps, signals.abort));
  const backup = current ? yield* prepareJournalled(runId, plan, host, deps, signals, archived) : archived;
  if (backup === null || signals.drain.aborted) return;
  const texts = await archiveTexts(backup.file, deps.key, (p) => IDENTITY_FILES.some((f) => p.endsWith(f)));
  // While nobody drove it, it may have been taken back: k3OS serves again, and writes.
  if (replay(await store.events(runId))?.status === "aborted")
    throw new FleetError("install-refused", `${runId} was taken back meanwhile: ${host.name} serves again`, {
      hint: `start anew: macula-fleet convert ${host.name} --plan`,
    });
  yield* driveInstall(
    runId,
    {
      ...deps.install,
      hosts: new Map([...deps.install.hosts, [host.name, asNixos(host)]]),
      vault: oldIdentity(texts),
      secretsFor: async (h) => [...(await deps.install.secretsFor(h)), ...deliveredEarly(texts)],
      phases: conversionPhases(plan, backup, deps, { current }),
    },
    signals,
  );
}

async function runsK3os(
  plan: ConversionPlan,
  host: Host,
  deps: ConvertDeps,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await using session = await deps.connect(host, signal);
    return (await survey(session, signal)).os === plan.conversion.survey.os;
  } catch {
    signal.throwIfAborted();
    // An installer, perhaps, which knows no such user. Where that is wrong, the kexec phase refuses.
    return false;
  }
}

const HOST_KEY = "ssh_host_ed25519_key";
const IDENTITY_FILES = [HOST_KEY, `${HOST_KEY}.pub`, "/maculaos/identity.json", "/rancher/node/password"];

/** The node keeps the key operators know it by. */
function oldIdentity(texts: ReadonlyMap<string, string>): IdentityVault {
  const text = (name: string) => [...texts].find(([path]) => path.endsWith(name))?.[1];
  const of = async (host: string): Promise<HostIdentity> => {
    const [publicKey, privateKey] = [text(`${HOST_KEY}.pub`), text(HOST_KEY)];
    if (publicKey && privateKey)
      return {
        publicKey: bareKey(publicKey),
        privateKey: new Secret(privateKey),
      };
    throw new FleetError("secret-unavailable", `the archive of ${host} has no Ed25519 host key`);
  };
  return { of, kept: of };
}

/** With the installation already, so that the first start cannot make new ones, whatever becomes of the rest. */
function deliveredEarly(texts: ReadonlyMap<string, string>) {
  const to = (name: string, path: string) =>
    [...texts]
      .filter(([p]) => p.endsWith(name))
      .slice(0, 1)
      .map(([, text]) => ({ path, mode: 0o600, content: new Secret(text), installOnly: false }));
  return [
    ...to("/maculaos/identity.json", "/var/lib/maculaos/identity.json"),
    ...to("/rancher/node/password", "/etc/rancher/node/password"),
  ];
}

/** The archive an earlier attempt proved; null: none. */
export async function backupOf(history: readonly FleetEvent[], host: string): Promise<Backup | null> {
  const event = history.findLast(
    (e) => e.type === "host.state" && e.host === host && typeof e.data.detail?.archive === "string",
  );
  const detail = event?.type === "host.state" ? event.data.detail : undefined;
  if (!detail) return null;
  const file = String(detail.archive);
  const text = await readFile(file.replace(/\.tar\.age$/, ".manifest.json"), "utf8").catch(() => null);
  if (text === null)
    throw new FleetError("copy-failed", `the archive's list is gone: ${file}`, {
      hint: "bring the archive back to where it was; the node may have nothing else left",
    });
  return {
    file,
    sha256: String(detail.sha256),
    bytes: Number(detail.bytes),
    manifest: manifestFromJson(text),
  };
}

/** All it was in, in order. */
export const statesOf = (history: readonly FleetEvent[], host: string): readonly HostState[] =>
  history.flatMap((e) => (e.type === "host.state" && e.host === host ? [e.data.to] : []));

/** Null when it failed: that is journalled. */
async function* prepareJournalled(
  runId: string,
  plan: ConversionPlan,
  host: Host,
  deps: ConvertDeps,
  signals: Signals,
  archived: Backup | null,
): AsyncGenerator<FleetEvent, Backup | null, undefined> {
  const { store, clock } = deps.install;
  const lease = await takeLease(runId, deps.install);
  const history = await store.events(runId);
  const state = replay(history);
  const drained = statesOf(history, host.name).includes("saving");
  if (!state) throw new FleetError("rollout-not-found", `there is no run ${runId}`);
  const channel = new Channel<FleetEvent>();
  const journal = new RunJournal(store, clock, lease, state, (event) => channel.push(event));
  const life = new AbortController();
  const told = listen(journal, deps.install, life.signal);
  const signal = AbortSignal.any([signals.abort, signals.drain, told.pause, life.signal]);
  let at: HostState | null = null;
  let backup: Backup | null = null;
  const say = (to: HostState, msg: string, detail?: Record<string, unknown>) => {
    at = to;
    return journal.append((s) => {
      const progress = s.hosts.get(host.name);
      return progress ? [moved(s, progress, to, msg, detail === undefined ? {} : { detail })] : [];
    });
  };
  const fail = async (error: unknown) => {
    if (life.signal.aborted || (error instanceof FleetError && error.code === "locked")) throw error;
    const { code, message, hint } = toFailure(error);
    const { says } = recoveryFrom(reachedBy(statesOf(history, host.name).concat(at ?? [])), host.name, null);
    const failure = { code, message, transient: false, hint: [hint, says].filter(Boolean).join("; ") };
    await journal.append((s) => {
      const progress = s.hosts.get(host.name);
      return progress ? [moved(s, progress, "failed", message, { failure })] : [];
    });
    await journal.append((s) => [runMoved(s, "failed", "nothing was erased")]);
    await journal.append((s) => [summarize(s, signals.drain.aborted)]);
  };
  const work = (async () => {
    await begin(journal, store, "conversion started");
    backup = await prepare(plan, host, deps, say, signal, { drained, archive: archived });
  })()
    .catch(fail)
    .then(
      () => channel.close(),
      (error: unknown) => channel.fail(error),
    );
  const heart = setInterval(
    () => journal.renew(LEASE_TTL_MS).catch((error: unknown) => life.abort(error)),
    LEASE_TTL_MS / 3,
  );
  try {
    yield* channel;
  } finally {
    clearInterval(heart);
    await work;
    life.abort();
    await told.over;
    await store.release(journal.lease).catch(() => undefined);
  }
  return backup;
}
