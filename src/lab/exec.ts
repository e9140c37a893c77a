/** What a lab host does with a command: exactly what macula-fleet sends, and a few harmless words; nothing else. */
import type { LabHost } from "./host.ts";
import type { ExecRequest, ExecResult } from "./sshd.ts";

export async function answer(_host: LabHost, request: ExecRequest): Promise<ExecResult> {
  return { exit: 127, stdout: "", stderr: `lab: not simulated: ${request.line.slice(0, 120)}\n` };
}
