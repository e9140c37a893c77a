/** `DIR/inventory.yaml` of a lab: an ordinary inventory (contract §3) with short timers. [pure] */
import { stringify } from "yaml";
import type { LabHostShape } from "./fleet-shape.ts";

export interface LabInventoryHost extends LabHostShape {
  readonly port: number;
}

const HEAD = `# A macula-fleet lab: these hosts are SIMULATED and listen on this machine only.
# Written by \`macula-fleet lab up\`, removed by \`macula-fleet lab down\`.
`;

export function labInventory(hosts: readonly LabInventoryHost[]): string {
  const sites = [...new Set(hosts.map((h) => h.site))];
  const document = {
    apiVersion: "macula.io/v1",
    kind: "FleetInventory",
    lab: { backend: "sim", dir: "." },
    fleet: { name: "simulated-lab", realm: "io.macula.lab", flake: "./flake", release: "26.05" },
    defaults: {
      user: "root",
      ssh: { identityFile: "id_ed25519", knownHosts: "known_hosts", connectTimeout: "5s" },
      disk: { device: "auto" },
    },
    sites: Object.fromEntries(sites.map((site) => [site, { timezone: "UTC" }])),
    hosts: Object.fromEntries(
      hosts.map((h) => [
        h.name,
        {
          address: "127.0.0.1",
          port: h.port,
          site: h.site,
          role: h.role,
          ...(h.role !== "peer" ? { mesh: { publicAddress: `${h.name}.lab.invalid:443` } } : {}),
        },
      ]),
    ),
    // A real fleet waits minutes where a lab waits a second.
    rollout: {
      maxParallel: "25%",
      maxUnavailable: "25%",
      confirmTimeout: "5s",
      minHealthyTime: "500ms",
      healthyDeadline: "10s",
      progressDeadline: "60s",
      soak: { canary: "1s", wave: "1s" },
      finalBake: "1s",
    },
  };
  return HEAD + stringify(document, { lineWidth: 0, flowCollectionPadding: false });
}
