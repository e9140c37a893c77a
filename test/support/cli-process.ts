/** The program as a user runs it: real processes, real exit codes, real signals. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const BUNDLED = here("../../node_modules/.bin/node");
/** Node 24, which runs the sources as they are: no dist/ is involved. */
export const NODE = existsSync(BUNDLED) ? BUNDLED : process.execPath;
export const PROGRAM = here("../../bin/macula-fleet.js");

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Milliseconds; a program that outlives it is killed, and the test fails. */
  readonly timeout?: number;
}

export interface Started {
  readonly stdout: string;
  readonly stderr: string;
  readonly pid: number;
  /** Waits until stdout and stderr together match; fails when the program ends before that. */
  until(pattern: RegExp): Promise<void>;
  signal(name: "SIGINT" | "SIGTERM" | "SIGKILL"): void;
  /** 137 after a SIGKILL, as a shell has it. */
  readonly done: Promise<Ran>;
}

/** Shared by all tests: what one process compiled, the next one need not. */
const CACHE = join(tmpdir(), "macula-fleet-compiled");
const INHERITED = ["PATH", "LANG", "TMPDIR", "USER"];

export function start(args: readonly string[], o: RunOptions = {}): Started {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  let stdout = "";
  let stderr = "";
  let ended = false;
  const waiting = new Set<() => void>();
  const tell = () => {
    for (const look of waiting) look();
  };
  const child = execa(NODE, [PROGRAM, ...args], {
    reject: false,
    buffer: false,
    extendEnv: false,
    env: { NODE_COMPILE_CACHE: CACHE, ...Object.fromEntries(inherited), ...o.env },
    timeout: o.timeout ?? 90_000,
    forceKillAfterDelay: 500,
    ...(o.cwd === undefined ? {} : { cwd: o.cwd }),
    ...(o.input === undefined ? { stdin: "ignore" as const } : { input: o.input }),
  });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    tell();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    tell();
  });
  const done = child.then((result): Ran => {
    ended = true;
    tell();
    if (result.timedOut)
      throw new Error(`macula-fleet ${args.join(" ")} did not end in time\n${stdout}\n${stderr}`);
    return { code: result.exitCode ?? (result.signal === "SIGKILL" ? 137 : 130), stdout, stderr };
  });
  return {
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
    pid: child.pid ?? -1,
    // Not execa's kill, which would make a SIGTERM a SIGKILL soon after.
    signal: (name) => {
      if (!ended && child.pid !== undefined) process.kill(child.pid, name);
    },
    done,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (pattern.test(stdout) || pattern.test(stderr)) resolve();
          else if (ended)
            reject(
              new Error(`macula-fleet ${args.join(" ")} ended without ${pattern}\n${stdout}\n${stderr}`),
            );
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
  };
}

export const run = (args: readonly string[], o: RunOptions = {}): Promise<Ran> => start(args, o).done;
