/** Reads a running node in one round trip; changes nothing there. */
import { readFileSync } from "node:fs";
import { FleetError } from "../../errors.ts";
import { type Command, quote, withParameters } from "../../kernel/shell.ts";
import type { Session } from "../../transport/transport.ts";
import { type NodeFiles, nodeFiles, SOURCES } from "../node-files.ts";

const script = readFileSync(new URL("./host.sh", import.meta.url), "utf8");

/** As root where sudo or doas allow it without a password; else what the login may read. */
export function readCommand(): Command {
  return {
    line: `if [ "$(id -u)" = 0 ]; then exec sh -s; elif sudo -n true 2>/dev/null; then exec sudo -n sh -s; elif doas -n true 2>/dev/null; then exec doas -n sh -s; else exec sh -s; fi`,
    stdin: withParameters(script, { SOURCES: SOURCES.map(quote).join(" ") }),
    label: "import",
  };
}

/** Throws host-protocol when the answer was cut short or is something else. */
export async function readHost(session: Session, signal: AbortSignal): Promise<NodeFiles> {
  const files: [string, string][] = [];
  let ended = false;
  const { stderr, code } = await session.run(readCommand(), {
    signal,
    timeoutMs: 120_000,
    maxOutput: 64 * 1024 * 1024,
    onLine: (line, stream) => {
      if (stream !== "stdout") return;
      const [word, path, data] = line.split(" ");
      if (word === "F" && path && data !== undefined) files.push([decode(path), decode(data)]);
      else if (word === "END") ended = true;
    },
  });
  if (!ended) {
    throw new FleetError(
      "host-protocol",
      `reading the node's configuration ended early (exit ${code}): ${stderr.trim().slice(0, 200)}`,
      {
        hint: "log in there and try: sudo maculaos config --dump-json; or copy its files and import the directory",
      },
    );
  }
  return nodeFiles(files);
}

const decode = (base64: string): string => Buffer.from(base64, "base64").toString("utf8");
