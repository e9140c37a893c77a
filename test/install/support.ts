import type { HostFacts } from "../../src/host/protocol.ts";

export const aDisk = (more: Partial<HostFacts["disks"][number]> = {}): HostFacts["disks"][number] => ({
  name: "/dev/sda",
  size: 500_000_000,
  model: "CT500",
  serial: "S1",
  removable: false,
  rotational: false,
  byId: ["/dev/disk/by-id/ata-CT500_S1"],
  partitions: ["/dev/sda1 499999 ext4"],
  mounted: [],
  blank: more.partitions?.length === 0,
  ...more,
});

/** A Debian machine that can be installed. */
export const someFacts = (more: Partial<HostFacts> = {}): HostFacts => ({
  schema: 1,
  hostname: "old",
  os: { id: "debian", version: "12", variant: "" },
  kernel: "6.1.0",
  arch: "x86_64",
  memory: 8_000_000,
  bootMode: "uefi",
  secureBoot: false,
  lockdown: "none",
  kexec: true,
  container: "none",
  virtualization: "",
  model: "PC",
  serial: "B1",
  machineId: "m",
  tools: ["tar", "cpio", "setsid", "curl"],
  uplink: { device: "eth0", kind: "ethernet", mac: "52:54:00:00:00:01" },
  macs: ["52:54:00:00:00:01"],
  disks: [aDisk()],
  hostKeys: ["ssh-ed25519 AAAAOLD"],
  current: "",
  bootId: "boot-1",
  elevation: "root",
  ...more,
});

export const INSTALLER = { id: "nixos", version: "26.05", variant: "installer" } as const;
