/** Makes `key` the only one known for a host: after an installation has given it a new identity. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { FleetError } from "../errors.ts";
import { knownHostName, matchesHost } from "./known-hosts.ts";

/** One caller at a time per file. Other hosts' lines, comments and marked lines stay as they are. */
export async function replaceHostKey(file: string, host: string, port: number, key: string): Promise<void> {
  const name = knownHostName(host, port);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw new FleetError("known-hosts-unreadable", `${file} cannot be read`, { cause: error });
  });
  const kept = text.split("\n").filter((line) => line.trim() !== "" && !isPlainEntryOf(line, name));
  const temporary = `${file}.new`;
  await writeFile(temporary, `${[...kept, `${name} ${key}`].join("\n")}\n`, { mode: 0o600 });
  await rename(temporary, file);
}

function isPlainEntryOf(line: string, name: string): boolean {
  if (line.startsWith("#") || line.startsWith("@")) return false;
  return matchesHost(line.trim().split(/\s+/)[0] ?? "", name);
}
