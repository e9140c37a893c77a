/** What a process cost: wall time, CPU and peak memory, read from /proc while it runs (Linux). */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

export interface Cost {
  readonly code: number;
  /** Seconds. */
  readonly wall: number;
  /** Seconds of this process alone, user and system. */
  readonly cpu: number;
  /** MiB. */
  readonly peak: number;
  readonly stdout: string;
}

const TICKS = 100;

export function measure(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
  input?: string,
): Promise<Cost> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "inherit"],
    });
    let cpu = 0;
    let peak = 0;
    let stdout = "";
    const look = () => {
      try {
        const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
        cpu = (Number(stat[11]) + Number(stat[12])) / TICKS || cpu;
        const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
        peak = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024 || peak;
      } catch {
        // It ended between two looks.
      }
    };
    const timer = setInterval(look, 50);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      look();
    });
    child.stdin?.end(input);
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(timer);
      resolve({ code: code ?? -1, wall: (performance.now() - begun) / 1000, cpu, peak, stdout });
    });
  });
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
