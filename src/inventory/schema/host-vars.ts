import { z } from "zod";
import {
  checkConfig,
  count,
  duration,
  port,
  publicKey,
  role,
  scalar,
  secretRef,
  slug,
  strings,
  text,
} from "./primitives.ts";

const hardware = z.strictObject({
  boot: z.enum(["uefi", "bios", "rpi"]).exactOptional(),
  board: text.exactOptional(),
  firmware: z.boolean().exactOptional().describe("Redistributable firmware; default: on for rpi"),
  kernel: text.exactOptional(),
  consoles: strings.exactOptional(),
});

const dataDisk = z.strictObject({
  device: z
    .string()
    .regex(
      /^\/dev\/disk\/by-id\/(?!.*-part\d+$)(?:[\w.:+=@-]|\{name\}|\{n\})+$/,
      "must be a whole disk by its stable name: /dev/disk/by-id/…",
    ),
  mountpoint: z
    .string()
    .regex(
      /^(?:\/(?!\.{1,2}(?:\/|$))[\w.@-]+)+$|^\/$/,
      "must be an absolute path such as /srv/data, without a slash at its end",
    ),
  fsType: z.enum(["ext4", "xfs"]).exactOptional(),
  erase: z.boolean().exactOptional().describe("Every installation erases it; default: it is kept"),
  serial: text.exactOptional(),
});

/** The disk's partition is named after it, `disk-NAME-data`, and a name in a GPT has 36 characters. */
const dataDiskName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,24}[a-z0-9])?$/,
    "must be a short lower-case name such as storage, 26 characters at most",
  );

const disk = z.strictObject({
  device: z
    .string()
    .regex(
      /^(?:\/.+|facts|auto|image)$/,
      "must be an absolute path (/dev/disk/by-id/…), facts, auto or image",
    )
    .exactOptional(),
  layout: text.exactOptional(),
  espSize: z
    .string()
    .regex(/^\d+(?:MiB|GiB|M|G)$/, "must be a size such as 512MiB or 1GiB")
    .exactOptional(),
  swap: text.exactOptional(),
  encryption: text.exactOptional(),
  serial: text.exactOptional(),
  keep: strings.exactOptional(),
  data: z.record(dataDiskName, dataDisk).exactOptional().describe("Further disks, by a name of yours"),
});

const staticNetwork = z.strictObject({
  mac: z
    .string()
    .regex(/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/, "must be a MAC address such as 52:54:00:12:34:56"),
  address: z
    .string()
    .regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, "must be an address with its prefix, such as 192.168.1.11/24"),
  gateway: text,
  dns: strings.exactOptional(),
});

const network = z.strictObject({
  dhcp: z.boolean().exactOptional(),
  static: staticNetwork.exactOptional(),
  dns: strings.exactOptional(),
  ntp: strings.exactOptional(),
  wifi: z.array(z.strictObject({ ssid: text, pskRef: secretRef })).exactOptional(),
});

const k3s = z.strictObject({
  cluster: slug.exactOptional(),
  role: z.enum(["server", "agent", "none"]).exactOptional(),
  clusterInit: z.boolean().exactOptional(),
  labels: z.record(z.string(), scalar).exactOptional(),
  taints: strings.exactOptional(),
  extraArgs: strings.exactOptional(),
  nodeName: text.exactOptional(),
  packageMinor: z
    .string({ error: 'must be a quoted minor version such as "1.35"' })
    .regex(/^1\.\d+$/, 'must be a minor version such as "1.35"')
    .exactOptional(),
});

const mesh = z.strictObject({
  bootstrapPeers: strings.exactOptional(),
  tlsMode: z.enum(["development", "production"]).exactOptional(),
  publicAddress: text.exactOptional(),
});

const identity = z.strictObject({
  mac: text.exactOptional(),
  machineId: text.exactOptional(),
  serial: text.exactOptional(),
  hostKeys: z.array(publicKey).exactOptional(),
  did: text.exactOptional(),
});

const ssh = z.strictObject({
  connectTimeout: duration.exactOptional(),
  identityFile: text.exactOptional(),
  knownHosts: text.exactOptional(),
  configFile: text.exactOptional(),
  hostKeyPolicy: z.enum(["strict", "accept-new"]).exactOptional(),
  elevate: z.enum(["auto", "none", "sudo", "doas"]).exactOptional(),
});

const file = z.strictObject({
  path: z.string().regex(/^\//, "must be an absolute path"),
  mode: z
    .string({ error: 'must be a quoted mode such as "0644"' })
    .regex(/^0?[0-7]{3,4}$/, 'must be an octal mode such as "0644"')
    .exactOptional(),
  content: z.string().exactOptional(),
  ref: secretRef.exactOptional(),
});

/** Words and meaning of the flake's modules: `services.macula.console`, `macula.softServe`, `macula.nats`. */
const services = z.strictObject({
  console: z
    .strictObject({
      image: text.exactOptional().describe("Container image of the Macula Console, with tag or digest"),
      port: port.exactOptional(),
      replicas: count.exactOptional(),
    })
    .exactOptional(),
  softServe: z
    .strictObject({
      enable: z.boolean().exactOptional(),
      port: port.exactOptional(),
      publicUrl: text.exactOptional(),
      openFirewall: z.boolean().exactOptional(),
    })
    .exactOptional(),
  nats: z
    .strictObject({
      enable: z.boolean().exactOptional(),
      port: port.exactOptional(),
      listen: text.exactOptional().describe("Address to listen on; default: this machine only"),
      jetstream: z.boolean().exactOptional(),
    })
    .exactOptional(),
});

const backup = z.strictObject({
  enable: z.boolean().exactOptional(),
  repository: text.exactOptional().describe("restic repository; {name} is the host's name"),
  passwordRef: secretRef.exactOptional(),
  environmentRef: secretRef.exactOptional().describe("Lines NAME=value, such as AWS_ACCESS_KEY_ID"),
  schedule: text.exactOptional().describe("systemd calendar expression, such as daily or *-*-* 03:00:00"),
  retention: z.int("must be a whole number").min(1, "must be at least 1").exactOptional(),
  include: strings.exactOptional(),
  exclude: strings.exactOptional(),
});

const shape = {
  address: text.exactOptional().describe("IP address, DNS name, or 10.40.1.10+ to count up over a range"),
  port: port.exactOptional(),
  user: text.exactOptional(),
  bastion: slug.nullable().exactOptional().describe("Name of a bastion; null: connect directly"),
  connect: z.enum(["ssh", "pull"]).exactOptional(),
  role: role.exactOptional(),
  roles: z.array(role).exactOptional(),
  arch: z.enum(["x86_64-linux", "aarch64-linux"]).exactOptional(),
  os: z.enum(["nixos", "k3os", "installer"]).exactOptional(),
  state: z.enum(["active", "planned", "maintenance", "retired"]).exactOptional(),
  channel: z.enum(["stable", "experimental"]).exactOptional(),
  convert: z.boolean().exactOptional(),
  hardware: hardware.exactOptional(),
  disk: disk.exactOptional(),
  network: network.exactOptional(),
  k3s: k3s.exactOptional(),
  mesh: mesh.exactOptional(),
  identity: identity.exactOptional(),
  users: z
    .record(
      z.string(),
      z.strictObject({
        keys: z.array(publicKey).exactOptional(),
        passwordHashRef: secretRef.exactOptional(),
      }),
    )
    .exactOptional(),
  kernel: z
    .strictObject({ modules: strings.exactOptional(), sysctls: z.record(z.string(), scalar).exactOptional() })
    .exactOptional(),
  files: z.array(file).exactOptional(),
  services: services.exactOptional(),
  backup: backup.exactOptional(),
  tags: z.array(slug).exactOptional(),
  labels: z.record(z.string(), scalar).exactOptional(),
  rollout: z
    .strictObject({ canary: z.enum(["always", "never"]).exactOptional(), order: count.exactOptional() })
    .exactOptional(),
  build: z.strictObject({ on: z.enum(["local", "remote"]).exactOptional() }).exactOptional(),
  health: z.strictObject({ checks: z.array(checkConfig).exactOptional() }).exactOptional(),
  ssh: ssh.exactOptional(),
  stateVersion: z
    .string({ error: 'must be a quoted release such as "26.05"' })
    .regex(/^\d\d\.(?:05|11)$/, 'must be a release such as "26.05"')
    .exactOptional(),
  note: z.string().exactOptional(),
};

/** What may be said about hosts anywhere: `defaults`, `sites.*.vars`, `groups.*.vars` and the host itself. */
export const hostVars = z.strictObject(shape).meta({ id: "hostVars" });

export const hostEntry = z.strictObject({
  site: slug.exactOptional(),
  groups: z.array(slug).exactOptional(),
  ...shape,
});

export type HostVars = z.infer<typeof hostVars>;
export type HostEntry = z.infer<typeof hostEntry>;
