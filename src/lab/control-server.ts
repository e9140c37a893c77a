/** The control channel of a running lab: HTTP on loopback, a bearer token from `DIR/lab.json`. */
import { Hono } from "hono";
import { type ZodType, z } from "zod";
import {
  FaultRequest,
  type HostReport,
  InstallStep,
  type LabReport,
  StopRequest,
} from "./control-protocol.ts";
import type { LabHost } from "./host.ts";
import { format, type Installed, installSystem, kexec, rebootInstalled } from "./machine/install.ts";
import { profilePath } from "./machine/model.ts";
import { networkUp } from "./machine/power.ts";
import { closureOf, systemOfPath } from "./store/closure.ts";

export interface ControlledLab {
  readonly hosts: ReadonlyMap<string, LabHost>;
  readonly shape: ReadonlyMap<string, { readonly role: string; readonly site: string }>;
  readonly pid: number;
  head(): string;
  /** Called after the answer was given. */
  stop(keep: boolean): void;
}

class Refused extends Error {}

export function controlApp(lab: ControlledLab, token: string): Hono {
  const app = new Hono();

  const host = (name: string): LabHost => {
    const found = lab.hosts.get(name);
    if (!found) throw new Refused(`the lab has no host ${name}`);
    return found;
  };
  const report = (h: LabHost): HostReport => reportOf(h, lab.shape.get(h.name));

  app.use(async (c, next) => {
    if (c.req.header("authorization") !== `Bearer ${token}`) return c.json({ error: "wrong token" }, 401);
    await next();
  });
  app.onError((error, c) => {
    const status = error instanceof Refused ? 409 : error instanceof z.ZodError ? 400 : 500;
    return c.json({ error: error.message }, status);
  });

  app.get("/", (c) => {
    const hosts = [...lab.hosts.values()].map(report);
    return c.json({ simulated: true, pid: lab.pid, head: lab.head(), hosts } satisfies LabReport);
  });
  app.get("/hosts/:name", (c) => c.json(report(host(c.req.param("name")))));
  app.post("/hosts/:name/faults", async (c) => {
    const h = host(c.req.param("name"));
    const { faults } = await body(c.req, FaultRequest);
    await h.setFaults(faults);
    return c.json(report(h));
  });
  app.post("/hosts/:name/power-cycle", async (c) => {
    const h = host(c.req.param("name"));
    await h.powerCycle();
    return c.json(report(h));
  });
  app.post("/hosts/:name/install", async (c) => {
    const h = host(c.req.param("name"));
    const step = await body(c.req, InstallStep);
    const result = await h.change((m, now) => install(step, m, now));
    if (!result.ok) throw new Refused(result.error);
    return c.json(report(h));
  });
  app.post("/stop", async (c) => {
    const { keep } = await body(c.req, StopRequest);
    setTimeout(() => lab.stop(keep), 10);
    return c.json({});
  });
  return app;
}

async function body<T>(request: { json(): Promise<unknown> }, schema: ZodType<T>): Promise<T> {
  return schema.parse(await request.json());
}

function install(step: InstallStep, m: Parameters<typeof kexec>[0], now: number): Installed {
  switch (step.step) {
    case "kexec":
      return kexec(m, now);
    case "disko":
      return format(m);
    case "install": {
      const system = systemOfPath(step.toplevel);
      if (!system) return { ok: false, machine: m, error: `${step.toplevel} is not a system of this lab` };
      return installSystem(m, closureOf(system), step.files, now);
    }
    case "reboot":
      return rebootInstalled(m, now);
  }
}

function reportOf(
  h: LabHost,
  shape: { readonly role: string; readonly site: string } | undefined,
): HostReport {
  const m = h.machine();
  return {
    name: h.name,
    port: h.port,
    role: shape?.role ?? "peer",
    site: shape?.site ?? "",
    power: m.power.kind,
    runs: m.memory?.kind ?? "nothing",
    current: m.memory?.current ?? "",
    profile: profilePath(m.disk),
    bootDefault: m.disk.bootDefault,
    reachable: networkUp(m),
    faults: [...m.faults],
    hostKey: h.hostPublicKey,
    mnt: m.memory?.mnt ?? "none",
    armed: (m.memory?.timers ?? []).map((t) => t.unit),
    logs: Object.fromEntries(Object.entries(m.disk.logs).map(([run, lines]) => [run, [...lines]])),
  };
}
