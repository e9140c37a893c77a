/** From the archive onto the new system: what is kept, under the names it has there. */
import { FleetError } from "../../errors.ts";
import type { Entry } from "../../tar/read.ts";
import { writeTar } from "../../tar/write.ts";
import type { Session } from "../../transport/transport.ts";
import { fateOf } from "../keep.ts";
import { archiveEntries } from "./archive.ts";
import type { ArchiveKey } from "./keys.ts";
import type { Manifest, ManifestEntry } from "./manifest.ts";
import { unpackCommand } from "./remote.ts";

/** What the new system must hold: destination -> entry, with the row it belongs to. */
export function expectedManifest(archive: Manifest, o: { readonly datastore: boolean }): Manifest {
  const expected = new Map<string, ManifestEntry>();
  for (const [path, entry] of archive) {
    const to = destination(path, entry.type, o);
    if (to !== null) expected.set(to, { ...entry, path: to });
  }
  const configured = pairedMarker(archive);
  if (configured !== null) expected.set(configured.path, configured);
  return expected;
}

/** Directories that everything shares (`/etc/ssh`) are the new system's own. */
function destination(
  path: string,
  type: ManifestEntry["type"] | Entry["type"],
  o: { readonly datastore: boolean },
): string | null {
  const to = fateOf(path, o)?.to?.replace(/^\//, "") ?? null;
  return type === "directory" && (to === "etc/ssh" || to === "opt") ? null : to;
}

const CREDENTIALS =
  /^var\/lib\/(?:maculaos|rancher\/k3os)\/(?:portal-token\.json|credentials\/portal\.json|api-key)$/;
const MARKER = "var/lib/maculaos/.configured";
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** A paired node must not be asked to pair again: the marker is made when some program forgot to. */
function pairedMarker(archive: Manifest): ManifestEntry | null {
  const has = (test: (path: string) => boolean) => [...archive.keys()].some(test);
  const already = has((p) => /^var\/lib\/(?:maculaos|rancher\/k3os)\/\.configured$/.test(p));
  const unpaired = has((p) => /^var\/lib\/(?:maculaos|rancher\/k3os)\/first-boot$/.test(p));
  if (already || unpaired || !has((p) => CREDENTIALS.test(p))) return null;
  return { path: MARKER, type: "file", mode: "0600", uid: 0, gid: 0, size: 0, sha256: EMPTY };
}

export interface RestoreOptions {
  readonly file: string;
  readonly key: ArchiveKey;
  readonly manifest: Manifest;
  readonly datastore: boolean;
  /** Root of the new system: `/mnt` in the installer. */
  readonly root: string;
  readonly signal: AbortSignal;
}

/** Throws install-failed when the host could not take all of it. */
export async function restore(session: Session, o: RestoreOptions): Promise<void> {
  const result = await session.run(unpackCommand(o.root, restoreStream(o)), {
    signal: o.signal,
    timeoutMs: 24 * 3_600_000,
  });
  if (result.code === 0) return;
  throw new FleetError(
    "install-failed",
    `the state could not be put back: ${result.stderr.trim().slice(0, 300)}`,
    {
      hint: `the archive is whole: ${o.file}; go on with: macula-fleet convert HOST --continue`,
    },
  );
}

export function restoreStream(
  o: Pick<RestoreOptions, "file" | "key" | "manifest" | "datastore">,
): AsyncGenerator<Uint8Array, void, undefined> {
  return writeTar(restoredEntries(o));
}

async function* restoredEntries(
  o: Pick<RestoreOptions, "file" | "key" | "manifest" | "datastore">,
): AsyncGenerator<Entry, void, undefined> {
  for await (const entry of archiveEntries(o.file, o.key)) {
    const path = destination(entry.path, entry.type, o);
    if (path === null) continue;
    if (entry.type !== "hardlink") {
      yield { ...entry, path };
      continue;
    }
    const link = fateOf(entry.link, o)?.to?.replace(/^\//, "");
    if (link) yield { ...entry, path, link };
  }
  const marker = pairedMarker(o.manifest);
  if (marker === null) return;
  const none = (async function* () {})();
  yield {
    path: marker.path,
    type: "file",
    mode: 0o600,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 0,
    link: "",
    extra: new Map(),
    body: none,
  };
}
