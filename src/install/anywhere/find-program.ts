import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where `name` is in a PATH variable; null when it is nowhere. */
export function findProgram(name: string, pathVariable: string | undefined): string | null {
  const dirs = (pathVariable ?? "").split(delimiter).filter((dir) => dir !== "");
  return dirs.map((dir) => join(dir, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
