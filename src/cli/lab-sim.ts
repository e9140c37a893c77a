import type { App } from "../app.ts";
import {
  BEHAVIOURS,
  labDown,
  labFault,
  labLayout,
  labPowerCycle,
  labRelease,
  labStatus,
  labUp,
} from "../lab/index.ts";
import { knownBehaviour, type LabBackend, noLab } from "./lab-backend.ts";

/** Simulated NixOS machines behind real SSH servers; needs nothing but Node. */
export function simLab(app: App, dir: string): LabBackend {
  return {
    async up({ hosts, sites, blank, foreground, signal }) {
      const { inventory } = labLayout(dir);
      await labUp({
        dir,
        hosts,
        blank,
        foreground,
        signal,
        ...(sites === undefined ? {} : { sites }),
        onReady: (lab) => {
          app.note(
            `LAB: ${lab.hosts.length} simulated NixOS hosts on loopback, each behind a real SSH server.`,
          );
          app.note(
            blank
              ? "They wait in an installer for: macula-fleet install"
              : "They run release r1; the lab's flake is at r2.",
          );
          app.note("Next:");
          if (blank) app.note(`  macula-fleet install ${inventory} --yes`);
          app.note(`  macula-fleet rollout -i ${inventory} --canary 10% --yes`);
          app.note(`  macula-fleet lab fault ${lab.hosts[0]?.name ?? "node-01"} bad-health --dir ${dir}`);
          app.note(`  macula-fleet lab down --dir ${dir}`);
          app.print(inventory);
        },
      });
    },
    down: (o) => labDown(dir, o),
    async status() {
      const status = await labStatus(dir);
      if (!status) throw noLab(dir);
      return { running: status.running, head: status.head, hosts: status.hosts };
    },
    fault: async (host, kind, o) => (await labFault(dir, host, kind, o)).faults,
    async powerCycle(host) {
      await labPowerCycle(dir, host);
    },
    async release(name, o) {
      const behaviour = knownBehaviour(o.behaviour, BEHAVIOURS);
      labRelease(dir, name, { ...(behaviour ? { behaviour } : {}), ...(o.hosts ? { hosts: o.hosts } : {}) });
    },
  };
}
