// dist/ from src/: TypeScript to JavaScript, and the files that are read at run time beside their modules.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);
const assets = (path) => !path.endsWith(".ts");
cpSync("src", "dist", { recursive: true, filter: (path) => assets(path) });
