import { join } from "node:path";
import type { App } from "../app.ts";
import { FleetError } from "../errors.ts";
import { dockerLabDown, dockerLabUp, dockerLabWelcome } from "../lab/docker/backend.ts";
import {
  dockerLabFault,
  dockerLabPowerCycle,
  dockerLabRelease,
  dockerLabStatus,
} from "../lab/docker/control.ts";
import { releaseNames } from "../lab/docker/lab-flake.ts";
import { labLayout } from "../lab/layout.ts";
import { BEHAVIOURS } from "../lab/machine/system.ts";
import { knownBehaviour, type LabBackend } from "./lab-backend.ts";

/** Containers with real OpenSSH, systemd and Nix. */
export function dockerLab(app: App, dir: string): LabBackend {
  const { signal } = app;
  return {
    async up({ hosts, sites, blank, foreground }) {
      if (blank || foreground)
        throw new FleetError("usage", "--blank and --foreground are for the simulated lab (--backend sim)");
      const lab = await dockerLabUp({
        dir,
        hosts,
        signal,
        ...(sites === undefined ? {} : { sites }),
        onLine: (line) => app.note(line),
      });
      for (const line of dockerLabWelcome(lab, dir)) app.note(line);
      app.print(labLayout(dir).inventory);
    },
    down: ({ keep }) => dockerLabDown(dir, { signal, keep }),
    async status() {
      const hosts = await dockerLabStatus(dir, { signal });
      const releases = await releaseNames(join(dir, "flake"), signal);
      return { running: true, head: releases.at(-1) ?? "", hosts };
    },
    fault: (host, kind, o) => dockerLabFault(dir, host, kind, { signal, clear: o.clear }),
    powerCycle: (host) => dockerLabPowerCycle(dir, host, { signal }),
    async release(name, o) {
      const behaviour = knownBehaviour(o.behaviour, BEHAVIOURS);
      await dockerLabRelease(dir, name, {
        signal,
        ...(behaviour ? { behaviour } : {}),
        ...(o.hosts ? { hosts: o.hosts } : {}),
      });
    },
  };
}
