/** `DIR/inventory.yaml` of a docker lab. [pure] */
import { stringify } from "yaml";
import type { DockerLabHost } from "./record.ts";

const HEAD = `# A macula-fleet lab: these hosts are CONTAINERS of this machine, on a network of their own.
# Written by \`macula-fleet lab up --backend docker\`, removed by \`macula-fleet lab down\`.
`;

export function dockerInventory(hosts: readonly DockerLabHost[]): string {
  const sites = [...new Set(hosts.map((host) => host.site))];
  const document = {
    apiVersion: "macula.io/v1",
    kind: "FleetInventory",
    lab: { backend: "docker", dir: "." },
    fleet: { name: "docker-lab", realm: "io.macula.lab", flake: "./flake", release: "26.05" },
    defaults: {
      user: "root",
      ssh: { identityFile: "id_ed25519", knownHosts: "known_hosts", connectTimeout: "5s" },
      disk: { device: "auto" },
    },
    sites: Object.fromEntries(sites.map((site) => [site, { timezone: "UTC" }])),
    hosts: Object.fromEntries(hosts.map((host) => [host.name, entry(host)])),
    // Real hosts, but on this machine: what takes minutes over the internet takes seconds.
    rollout: {
      maxParallel: "25%",
      maxUnavailable: "25%",
      confirmTimeout: "20s",
      minHealthyTime: "1s",
      healthyDeadline: "20s",
      progressDeadline: "3m",
      soak: { canary: "1s", wave: "1s" },
      finalBake: "1s",
    },
  };
  return HEAD + stringify(document, { lineWidth: 0, flowCollectionPadding: false });
}

function entry(host: DockerLabHost) {
  return {
    address: host.address,
    ...(host.user === "root" ? {} : { user: host.user }),
    site: host.site,
    role: host.role,
    labels: { image: host.suite },
    ...(host.role !== "peer" ? { mesh: { publicAddress: `${host.name}.lab.invalid:443` } } : {}),
  };
}

/** known_hosts: keys as the hosts made them. */
export function knownHosts(keys: ReadonlyMap<string, string>): string {
  return [...keys].map(([address, key]) => `${address} ${key.split(" ").slice(0, 2).join(" ")}\n`).join("");
}
