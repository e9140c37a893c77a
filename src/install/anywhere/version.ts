/** Is this a nixos-anywhere we can drive? It has no `--version`, so its `--help` must name what we use. */
import { execa } from "execa";
import { FleetError } from "../../errors.ts";
import { NEEDED_OPTIONS } from "./command.ts";

/** Throws `tool-missing` when it cannot be run or lacks an option. */
export async function checkAnywhere(program: readonly string[], signal: AbortSignal): Promise<void> {
  const [file = "nixos-anywhere", ...before] = program;
  const result = await execa(file, [...before, "--help"], {
    stdin: "ignore",
    all: true,
    reject: false,
    cancelSignal: signal,
    // `nix run` may have to fetch it first.
    timeout: 600_000,
  });
  signal.throwIfAborted();
  if (result.failed) {
    const last = (result.all ?? "").trim().split("\n").at(-1) ?? "";
    throw new FleetError(
      "tool-missing",
      `${program.join(" ")} does not run${last === "" ? "" : `: ${last}`}`,
      {
        hint: "name a working nixos-anywhere with --nixos-anywhere PATH",
      },
    );
  }
  const lacks = missingOptions(result.all ?? "");
  if (lacks.length === 0) return;
  throw new FleetError("tool-missing", `${program.join(" ")} is too old: it knows no ${lacks.join(", ")}`, {
    hint: "use nixos-anywhere 1.8 or newer",
  });
}

/** Which of the options we use a `--help` does not name. */
export const missingOptions = (help: string): readonly string[] =>
  NEEDED_OPTIONS.filter((option) => !new RegExp(`(^|[\\s,])${option}\\b`, "m").test(help));
