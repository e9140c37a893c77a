/** Starts a lab as a process of its own that outlives this one. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { execPath } from "node:process";
import { z } from "zod";
import { FleetError } from "../errors.ts";
import type { LabSettings } from "./lab.ts";
import { labLayout } from "./layout.ts";
import { sibling } from "./nixos-anywhere-launcher.ts";

const Message = z.discriminatedUnion("ready", [
  z.object({ ready: z.literal(true) }),
  z.object({ ready: z.literal(false), message: z.string() }),
]);

/** Resolves once the lab answers. Throws `lab-failed`; an abort ends the process that was started. */
export async function spawnDaemon(settings: LabSettings, signal: AbortSignal): Promise<void> {
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
      const fail = (message: string) =>
        reject(
          new FleetError("lab-failed", `the lab did not start: ${message}`, { hint: `see ${files.log}` }),
        );
      const interrupt = () => {
        child.kill("SIGTERM");
        reject(signal.reason);
      };
      signal.addEventListener("abort", interrupt, { once: true });
      child.once("error", (error) => fail(error.message));
      child.once("exit", (code) => fail(`its process ended with ${code}`));
      child.once("message", (data) => {
        signal.removeEventListener("abort", interrupt);
        const message = Message.parse(data);
        if (!message.ready) return fail(message.message);
        child.removeAllListeners("exit");
        if (child.connected) child.disconnect();
        child.unref();
        resolve();
      });
    });
  } finally {
    closeSync(log);
  }
}
