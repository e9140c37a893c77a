/** Each row of the table and how it is proved that it survived. Pure: everything is compared as data. */
import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { z } from "zod";
import { compareManifests, extentOf, type Manifest, type ManifestEntry } from "./backup/manifest.ts";
import { fateOf, KEEP, type KeepRow } from "./keep.ts";
import { loginKeysIn } from "./login-keys.ts";

export interface Proof {
  readonly row: string;
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Evidence {
  readonly archive: Manifest;
  /** What the new system should hold, by its own paths. */
  readonly expected: Manifest;
  /** What it holds. */
  readonly found: Manifest;
  /** Small files of the archive. */
  readonly texts: ReadonlyMap<string, string>;
  readonly datastore: boolean;
  /** What SQLite says of the archived datastore; null: there is none. */
  readonly database: { readonly ok: boolean; readonly detail: string } | null;
  /** `SHA256:…` of the key it showed when we logged in now. */
  readonly presented: string;
  /** Keys that may log in on the new system, as the inventory has them. */
  readonly loginKeys: readonly string[];
  /** Those of before that a person said may go, `type base64`. */
  readonly keysLeft: readonly string[];
  /** The inventory fragment before, and from the archive. */
  readonly importedBefore: string;
  readonly importedNow: string;
}

/** One proof per row that has anything in it. */
export function prove(e: Evidence): readonly Proof[] {
  return KEEP.flatMap((row): Proof[] => {
    if (row.proof === "none") return [];
    const entries = [...e.archive.values()].filter((a) => fateOf(a.path, e)?.row === row);
    if (entries.length === 0) return [];
    const { ok, detail } = proofOf(row, entries, e);
    return [{ row: row.id, what: row.what, ok, detail }];
  });
}

type Verdict = { readonly ok: boolean; readonly detail: string };

function proofOf(row: KeepRow, entries: readonly ManifestEntry[], e: Evidence): Verdict {
  if (row.proof === "login-keys") return loginKeys(row, e);
  if (row.proof === "same-inventory") {
    return e.importedBefore === e.importedNow
      ? { ok: true, detail: "the archive says the same as the node did" }
      : { ok: false, detail: "the archive says something else than the node did" };
  }
  const kept = entries.filter((a) => fateOf(a.path, e)?.action === "keep");
  if (kept.length === 0) return { ok: true, detail: `${extentOf(entries).files} files, in the archive only` };
  const files = sameFiles(row, e);
  if (!files.ok) return files;
  if (row.proof === "host-keys") return hostKeys(e, files);
  if (row.proof === "identity") return identity(e);
  if (row.proof === "cluster-ca") return clusterCa(e, files);
  if (row.proof === "datastore" && e.database) {
    return { ok: e.database.ok, detail: `${e.database.detail}; ${files.detail}` };
  }
  if (row.proof === "datastore" || row.proof === "tree")
    return { ok: true, detail: `${files.detail}, tree ${treeHash(e.found, row, e)}` };
  return files;
}

function sameFiles(row: KeepRow, e: Evidence): Verdict {
  const mine = new Map([...e.expected].filter(([path]) => rowOfDestination(path, e) === row));
  const differences = compareManifests(mine, e.found, { exact: false });
  const [first] = differences;
  if (first)
    return {
      ok: false,
      detail: `/${first.path} ${first.what}${differences.length > 1 ? ` and ${differences.length - 1} more` : ""}`,
    };
  const { files, bytes } = extentOf(mine.values());
  return { ok: true, detail: `${files} files, ${bytes} bytes: owner, mode and sha256 equal` };
}

/** Destinations are paths of the table as well, but for what was moved. */
const rowOfDestination = (path: string, e: Evidence): KeepRow | undefined => fateOf(path, e)?.row;

function hostKeys(e: Evidence, files: Verdict): Verdict {
  const before = [...e.texts]
    .filter(([path]) => /ssh_host_\w+_key\.pub$/.test(path))
    .map(
      ([, text]) =>
        `SHA256:${createHash("sha256")
          .update(Buffer.from(text.split(" ")[1] ?? "", "base64"))
          .digest("base64")
          .replace(/=+$/, "")}`,
    );
  return before.includes(e.presented)
    ? { ok: true, detail: `shows ${e.presented}, as before; ${files.detail}` }
    : { ok: false, detail: `shows ${e.presented}; its keys were ${before.join(", ")}` };
}

const Identity = z.object({ public_key: z.string(), private_key: z.string(), did: z.string() });
/** PKCS #8 in front of a raw Ed25519 key. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** The name follows from the public key, and that from the private one. */
export function identityProblem(text: string): { readonly did: string } | { readonly problem: string } {
  let parsed: z.infer<typeof Identity>;
  try {
    parsed = Identity.parse(JSON.parse(text));
  } catch {
    return { problem: "identity.json is not an identity" };
  }
  const pub = Buffer.from(parsed.public_key, "base64");
  const seed = Buffer.from(parsed.private_key, "base64").subarray(0, 32);
  if (pub.length !== 32 || seed.length !== 32) return { problem: "its keys are not Ed25519 keys" };
  const derived = createPublicKey(
    createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" }),
  );
  if (!derived.export({ format: "der", type: "spki" }).subarray(-32).equals(pub))
    return { problem: "its public key does not belong to its private key" };
  const did = `did:macula:${pub.subarray(0, 16).toString("base64url")}`;
  return did === parsed.did ? { did } : { problem: `its keys make ${did}, it says ${parsed.did}` };
}

function identity(e: Evidence): Verdict {
  const text = [...e.texts].find(([path]) => path.endsWith("/identity.json"))?.[1] ?? "";
  const checked = identityProblem(text);
  return "did" in checked
    ? { ok: true, detail: `${checked.did}, recomputed from its key; sha256 equal` }
    : { ok: false, detail: checked.problem };
}

/** `K10<sha256 of server-ca.crt>::…` */
function clusterCa(e: Evidence, files: Verdict): Verdict {
  const token = [...e.texts].find(([path]) => path.endsWith("/server/token"))?.[1] ?? "";
  const hash = /^K10([0-9a-f]{64})::/.exec(token)?.[1];
  const ca = [...e.found].find(([path]) => path.endsWith("/server/tls/server-ca.crt"))?.[1].sha256;
  if (hash === undefined || ca === undefined) return files;
  return hash === ca
    ? { ok: true, detail: "the token names this cluster's CA" }
    : { ok: false, detail: "the token names another CA than server-ca.crt" };
}

function loginKeys(row: KeepRow, e: Evidence): Verdict {
  const before = [...e.texts]
    .filter(([path]) => fateOf(path, e)?.row === row)
    .flatMap(([, text]) => loginKeysIn(text));
  const known = e.loginKeys.flatMap(loginKeysIn);
  const gone = before.filter((k) => !known.includes(k));
  const missing = gone.filter((k) => !e.keysLeft.includes(k));
  const kept = `${before.length - gone.length} keys, all in the inventory`;
  return missing.length === 0
    ? { ok: true, detail: gone.length === 0 ? kept : `${kept}; ${gone.length} left behind, as was accepted` }
    : { ok: false, detail: `${missing.length} of ${before.length} keys cannot log in any more` };
}

function treeHash(found: Manifest, row: KeepRow, e: Evidence): string {
  const lines = [...found.values()]
    .filter((f) => e.expected.has(f.path) && rowOfDestination(f.path, e) === row)
    .map((f) => `${f.path} ${f.mode} ${f.uid}:${f.gid} ${f.sha256}`);
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex").slice(0, 16);
}
