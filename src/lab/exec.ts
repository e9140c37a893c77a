/** What a lab host does with a command: exactly what macula-fleet sends, and a few harmless words; nothing else. */
import { setTimeout as delay } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { type Elevation, elevationProbe, receiveLine } from "../host/commands.ts";
import { identify } from "../host/scripts.ts";
import { sh } from "../kernel/shell.ts";
import type { LabHost } from "./host.ts";
import { OPERATIONS } from "./machine/operations/index.ts";
import { perform } from "./machine/operations/operation.ts";
import { receivePath } from "./machine/store.ts";
import { smallCommand } from "./small-commands.ts";
import type { ExecRequest, ExecResult } from "./sshd.ts";
import { createImportReader } from "./store/export-stream.ts";

const ELEVATIONS: readonly Elevation[] = ["root", "sudo", "doas"];
const RECEIVE: readonly string[] = ELEVATIONS.map(receiveLine);
const SCRIPT: readonly string[] = [[], ["sudo", "-n"], ["doas", "-n"]].map((p) => sh`${[...p, "sh", "-s"]}`);
const MAX_SCRIPT = 4 * 2 ** 20;

export async function answer(host: LabHost, request: ExecRequest): Promise<ExecResult> {
  if (RECEIVE.includes(request.line)) return receive(host, request);
  if (!SCRIPT.includes(request.line)) return small(host, request.line);
  const text = await readText(request.stdin);
  if (text === elevationProbe.stdin) return { exit: 0, stdout: "root\n", stderr: "" };
  const script = identify(text);
  const operation = script ? OPERATIONS[script.name] : undefined;
  if (!script || !operation) return small(host, text.trim());
  const { exit, stdout, stderr } = await host.change((m, now) =>
    perform(operation, m, script.parameters, now),
  );
  return { exit, stdout, stderr };
}

function small(host: LabHost, line: string): ExecResult {
  const stdout = smallCommand(line, host.machine(), Date.now());
  if (stdout !== null) return stdout;
  const script = /^# macula-fleet\/\d+ \w+$/m.exec(line)?.[0];
  if (script) {
    const hint = "another version started this lab: put it down and up again";
    return { exit: 127, stdout: "", stderr: `lab: does not know this "${script}" (${hint})\n` };
  }
  const shown = line.length > 120 ? `${line.slice(0, 120)}…` : line;
  return {
    exit: 127,
    stdout: "",
    stderr: `lab: this simulated host does not know the command: ${shown.replaceAll("\n", "\\n")}\n`,
  };
}

async function readText(stdin: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    length += chunk.length;
    if (length > MAX_SCRIPT) throw new Error("the script is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** `gzip -dc | nix-store --import`: each path is valid as soon as it is complete, whatever comes after it. */
async function receive(host: LabHost, request: ExecRequest): Promise<ExecResult> {
  const reader = createImportReader();
  const unzip = createGunzip();
  const feeding = feed(request.stdin, unzip);
  let stdout = "";
  try {
    for await (const chunk of unzip) {
      for (const entry of reader.push(chunk)) {
        if (host.machine().faults.includes("slow")) await delay(100, undefined, { signal: request.signal });
        const result = await host.change((m) => {
          const received = receivePath(m, entry);
          return { machine: received.ok ? received.machine : m, error: received.ok ? null : received.error };
        });
        if (result.error !== null) return { exit: 1, stdout, stderr: `${result.error}\n` };
        stdout += `${entry.path}\n`;
      }
    }
    await feeding;
  } catch (error) {
    request.signal.throwIfAborted();
    return { exit: 1, stdout, stderr: `${error instanceof Error ? error.message : error}\n` };
  }
  if (!reader.ended) return { exit: 1, stdout, stderr: "error: unexpected end-of-file\n" };
  return { exit: 0, stdout, stderr: "" };
}

async function feed(stdin: AsyncIterable<Uint8Array>, into: NodeJS.WritableStream): Promise<void> {
  try {
    for await (const chunk of stdin) {
      if (!into.write(chunk)) await new Promise((resolve) => into.once("drain", resolve));
    }
  } finally {
    into.end();
  }
}
