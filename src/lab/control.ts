/** Talks to a running lab. What can be asked is the zod schema of `control-server.ts`. */
import { FleetError } from "../errors.ts";
import { HostReport, type InstallStep, LabReport } from "./control-protocol.ts";
import type { FaultKind } from "./machine/fault.ts";
import { alive, type RunningLab, readRunningLab } from "./running.ts";

export interface LabControl {
  readonly lab: RunningLab;
  status(): Promise<LabReport>;
  host(name: string): Promise<HostReport>;
  /** Replaces the host's faults; empty clears them. */
  faults(host: string, faults: readonly FaultKind[]): Promise<HostReport>;
  powerCycle(host: string): Promise<HostReport>;
  install(host: string, step: InstallStep): Promise<HostReport>;
  /** Ends the process; with `keep` the hosts' disks are written first. */
  stop(o: { readonly keep: boolean }): Promise<void>;
}

/** Throws `lab-failed` when no lab runs in `dir`. */
export function connectLab(dir: string): LabControl {
  const lab = readRunningLab(dir);
  if (!lab || !alive(lab.pid)) {
    throw new FleetError("lab-failed", `no lab runs in ${dir}`, { hint: `macula-fleet lab up --dir ${dir}` });
  }

  async function ask(method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`http://127.0.0.1:${lab?.controlPort}${path}`, {
        method,
        headers: { authorization: `Bearer ${lab?.token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(10_000),
      });
    } catch (cause) {
      throw new FleetError("lab-failed", `the lab in ${dir} does not answer`, {
        hint: `macula-fleet lab down --dir ${dir}`,
        cause,
      });
    }
    const answer: unknown = await response.json();
    if (response.ok) return answer;
    const message =
      typeof answer === "object" && answer && "error" in answer ? String(answer.error) : response.statusText;
    throw new FleetError("lab-failed", message);
  }

  const path = (host: string, verb = "") => `/hosts/${encodeURIComponent(host)}${verb}`;
  return {
    lab,
    status: async () => LabReport.parse(await ask("GET", "/")),
    host: async (name) => HostReport.parse(await ask("GET", path(name))),
    faults: async (host, faults) => HostReport.parse(await ask("POST", path(host, "/faults"), { faults })),
    powerCycle: async (host) => HostReport.parse(await ask("POST", path(host, "/power-cycle"), {})),
    install: async (host, step) => HostReport.parse(await ask("POST", path(host, "/install"), step)),
    stop: async ({ keep }) => {
      await ask("POST", "/stop", { keep });
    },
  };
}
