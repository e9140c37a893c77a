/** Finds the lab a command means. */
import { existsSync } from "node:fs";
import type { App } from "../app.ts";
import { defaultLabDir, labLayout } from "../lab/layout.ts";
import type { LabBackend } from "./lab-backend.ts";

export function labDir(app: App, dir: string | undefined): string {
  return labLayout(dir ?? defaultLabDir(app.process.env)).dir;
}

/** The backend asked for, or the one that runs in `dir`. */
export async function labBackend(
  app: App,
  dir: string | undefined,
  kind?: "sim" | "docker",
): Promise<LabBackend> {
  const root = labDir(app, dir);
  const docker = await import("../lab/docker/record.ts");
  const running = existsSync(labLayout(root).lab)
    ? isDocker(root, docker.readDockerLab)
      ? "docker"
      : "sim"
    : null;
  const chosen = running ?? kind ?? "sim";
  return chosen === "docker"
    ? (await import("./lab-docker.ts")).dockerLab(app, root)
    : (await import("./lab-sim.ts")).simLab(app, root);
}

function isDocker(dir: string, read: (dir: string) => unknown): boolean {
  try {
    return read(dir) !== null;
  } catch {
    return false;
  }
}
