/** The words of `exec` as one line for a host's shell. Pure. */
import { FleetError } from "../errors.ts";
import type { Host } from "../inventory/model.ts";
import { type Command, sh } from "../kernel/shell.ts";

const EITHER = 'if command -v sudo >/dev/null 2>&1; then exec sudo -n "$@"; fi; exec doas -n "$@"';

/** One word is a shell line, as `ssh host 'a | b'` has it; several are a program and its arguments, passed as they are. */
export function remoteCommand(words: readonly string[], host: Host, root: boolean): Command {
  const program = words.length === 1 ? ["sh", "-c", words[0] ?? ""] : words;
  return { line: sh`${[...elevation(host, root), ...program]}`, stdin: "", label: "exec" };
}

function elevation(host: Host, root: boolean): readonly string[] {
  if (!root || host.user === "root") return [];
  switch (host.ssh.elevate) {
    case "none":
      throw new FleetError("elevation-refused", `${host.name}: ssh.elevate is none, so nobody becomes root`, {
        hint: "set ssh.elevate: auto in the inventory, or user: root",
      });
    case "auto":
      return ["sh", "-c", EITHER, "sh"];
    default:
      return [host.ssh.elevate, "-n"];
  }
}
