/** Starts a lab as a process of its own that outlives this one. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { execPath } from "node:process";
import { z } from "zod";
import type { LabSettings } from "./lab.ts";
import { labLayout } from "./layout.ts";
import { sibling } from "./nixos-anywhere-launcher.ts";

const Message = z.discriminatedUnion("ready", [
  z.object({ ready: z.literal(true) }),
  z.object({ ready: z.literal(false), message: z.string() }),
]);

/** Resolves once the lab answers; an abort ends the process that was started. Throws `Error` saying why it ended. */
export async function spawnDaemon(settings: LabSettings, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const files = labLayout(settings.dir);
  mkdirSync(files.dir, { recursive: true, mode: 0o700 });
  const log = openSync(files.log, "a", 0o600);
  try {
    await new Promise<void>((resolve, reject) => {
      const child = spawn(execPath, [sibling("daemon"), JSON.stringify(settings)], {
        detached: true,
        stdio: ["ignore", log, log, "ipc"],
        cwd: "/",
      });
      const interrupt = () => child.kill("SIGKILL");
      signal.addEventListener("abort", interrupt, { once: true });
      child.once("error", reject);
      child.once("exit", (code) =>
        reject(signal.aborted ? signal.reason : new Error(lastLine(files.log) ?? `exit ${code}`)),
      );
      child.once("message", (data) => {
        signal.removeEventListener("abort", interrupt);
        child.removeAllListeners("exit");
        const message = Message.parse(data);
        if (!message.ready) return reject(new Error(message.message));
        if (child.connected) child.disconnect();
        child.unref();
        resolve();
      });
    });
  } finally {
    closeSync(log);
  }
}

const lastLine = (file: string): string | undefined =>
  readFileSync(file, "utf8")
    .split("\n")
    .findLast((line) => line.trim() !== "");
