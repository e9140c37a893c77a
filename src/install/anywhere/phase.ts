/** One phase through nixos-anywhere: host keys checked, files staged just before they are needed. */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { keysOf, type PhaseContext } from "../context.ts";
import { workingIn } from "../leftovers.ts";
import { stageFiles } from "../secrets/stage.ts";
import { type AnywherePhase, anywhereArguments } from "./command.ts";
import { runAnywhere } from "./run.ts";
import { writeShim } from "./shim-files.ts";
import { routeName } from "./ssh-shim.ts";

export interface PhaseCall {
  readonly signal?: AbortSignal;
  readonly onStep?: (step: string) => void;
}

export async function anywhere(
  c: PhaseContext,
  phase: AnywherePhase,
  deadlineMs: number,
  o: PhaseCall = {},
): Promise<void> {
  const at = phase === "kexec" ? null : c.place;
  const target = c.targetOf(at === null ? c.host : { ...c.host, ...at });
  const shim = await writeShim(join(c.workDir, "ssh"), { target, hostKeys: keysOf(c) }, c.pathVariable);
  await using files = phase === "disko" || phase === "install" ? await stage(c) : null;
  await runAnywhere({
    program: c.program,
    args: anywhereArguments({
      phase,
      user: target.user,
      destination: c.standIn ? target.address : routeName(target.name),
      port: target.port,
      disko: c.target.disko,
      toplevel: c.target.toplevel,
      identityFile: shim.identityFile,
      ...(files === null ? {} : { extraFiles: files.extraFiles, installerFiles: files.installerFiles }),
      ...(c.kexec === undefined ? {} : { kexec: c.kexec }),
      extraOptions: c.options ?? [],
    }),
    env: { PATH: shim.path, ...workingIn(c.workDir) },
    deadlineMs,
    signal: o.signal ?? c.signal,
    onStep: (step) => {
      c.note(step);
      o.onStep?.(step);
    },
    onLine: c.log,
  });
}

async function stage(c: PhaseContext) {
  const dir = join(c.workDir, "files");
  const root = join(dir, "root");
  if (c.overlay !== undefined) {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await cp(c.overlay, root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  }
  return stageFiles(dir, c.identity, await c.secrets());
}
