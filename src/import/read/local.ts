/** A node's files from this machine: a directory, a tarball (also gzipped), or one YAML file. */
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { createGunzip } from "node:zlib";
import { FleetError } from "../../errors.ts";
import { readTar } from "../../tar/read.ts";
import { NOT_CONFIG, type NodeFiles, nodeFiles, runningPath, SOURCES } from "../node-files.ts";

const LARGEST = 1024 * 1024;
const wanted = (path: string): boolean =>
  !NOT_CONFIG.test(path) &&
  (path.startsWith("/run/macula-fleet-import/") ||
    SOURCES.some((s) => path === s || path.startsWith(`${s}/`)));

/** Throws `usage` when it is neither. */
export async function readLocal(path: string): Promise<NodeFiles> {
  const stats = await stat(path).catch(() => null);
  if (stats === null)
    throw new FleetError("usage", `there is no ${path}`, {
      hint: "name a directory, a tarball or a YAML file of a node",
    });
  if (stats.isDirectory()) return readDirectory(path);
  if (/\.(?:tar|tgz|tar\.gz)$/.test(path)) return readTarball(path);
  if (/\.ya?ml$/.test(path))
    return nodeFiles([["/var/lib/maculaos/config.yaml", await readFile(path, "utf8")]]);
  throw new FleetError("usage", `${path} is neither a directory, nor a .tar, nor a .yaml`, {
    hint: "copy the node's files: tar -C / -cf node.tar var/lib/maculaos macula/system/config.yaml",
  });
}

async function readDirectory(root: string): Promise<NodeFiles> {
  const files: [string, string][] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = relative(root, file).split(sep).join("/");
    if (!wanted(runningPath(path)) || (await stat(file)).size > LARGEST) continue;
    files.push([path, await readFile(file, "utf8")]);
  }
  return found(files, root);
}

async function readTarball(path: string): Promise<NodeFiles> {
  const raw = createReadStream(path);
  const files: [string, string][] = [];
  for await (const entry of readTar(path.endsWith(".tar") ? raw : raw.pipe(createGunzip()))) {
    if (entry.type !== "file" || entry.size > LARGEST || !wanted(runningPath(entry.path))) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.body) chunks.push(chunk);
    files.push([entry.path, Buffer.concat(chunks).toString("utf8")]);
  }
  return found(files, path);
}

function found(files: readonly (readonly [string, string])[], where: string): NodeFiles {
  if (files.length > 0) return nodeFiles(files);
  throw new FleetError("usage", `nothing of a k3OS node is in ${where}`, {
    hint: "expected var/lib/maculaos/…, macula/system/config.yaml or macula/data/… below it",
  });
}
