import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, matchesGlob } from "node:path";
import { FleetError } from "../errors.ts";

/** As deep as OpenSSH goes. */
const MAX_DEPTH = 16;

/**
 * The text of an ssh_config with its Include files in place. Relative includes are looked for in ~/.ssh, as
 * ssh does; included files that do not exist are skipped. Wildcards work in the last part of a path.
 */
export async function readWithIncludes(file: string, home: string, depth = 0): Promise<string> {
  const content = await readConfig(file);
  const lines: string[] = [];
  let section = "Match all";
  for (const line of content.split("\n")) {
    if (/^\s*(host|match)[\s=]/i.test(line)) section = line.trim();
    const patterns = /^\s*include[\s=]+(.*)$/i.exec(line)?.[1];
    if (patterns === undefined) {
      lines.push(line);
      continue;
    }
    if (depth >= MAX_DEPTH)
      throw new FleetError("usage", `ssh_config ${file}: Include goes deeper than ${MAX_DEPTH} files`);
    for (const pattern of split(patterns)) {
      for (const included of await matches(resolve(pattern, home))) {
        lines.push(await readWithIncludes(included, home, depth + 1));
      }
    }
    // A Host block inside the included file must not swallow the lines after the Include.
    lines.push(section);
  }
  return lines.join("\n");
}

async function readConfig(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FleetError("usage", `ssh_config ${file} cannot be read: ${reason}`, { cause });
  }
}

function split(patterns: string): readonly string[] {
  return [...patterns.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

function resolve(pattern: string, home: string): string {
  if (pattern.startsWith("~/")) return join(home, pattern.slice(2));
  return isAbsolute(pattern) ? pattern : join(home, ".ssh", pattern);
}

async function matches(pattern: string): Promise<readonly string[]> {
  const names = await readdir(dirname(pattern)).catch(() => []);
  return names
    .filter((name) => matchesGlob(name, basename(pattern)))
    .sort()
    .map((name) => join(dirname(pattern), name));
}
