import { error } from "../findings.ts";
import type { Host } from "../model.ts";
import { field, livingHosts, type Rule } from "./rule.ts";

/** E406: a further disk is none of the others, and not one to keep that is to be erased. */
export const dataDisks: Rule = function* (input) {
  for (const host of livingHosts(input.inventory)) {
    const { device, keep, data } = host.disk;
    const taken = new Map([[device, "the system's disk (disk.device)"]]);
    for (const [name, disk] of Object.entries(data)) {
      const about = (...more: string[]) => field(input, host, "disk", "data", name, ...more);
      if (name === "main") {
        const { path, from } = about();
        yield error("E406", path, '"main" is the name of the system\'s disk', {
          from,
          point: "key",
          fix: "Choose another name.",
        });
      }
      if (device === "image") {
        const { path, from } = about();
        yield error("E406", path, `${host.name} comes as an image, which sets up no further disks`, {
          from,
          point: "key",
          fix: "Leave disk.data out, or name the system's disk: disk.device: /dev/disk/by-id/….",
        });
      }
      const other = taken.get(disk.device);
      if (other !== undefined) {
        const { path, from } = about("device");
        yield error("E406", path, `${disk.device} is ${other}`, { from, fix: "Name another disk." });
      }
      taken.set(disk.device, `the disk of disk.data.${name}`);
      if (disk.erase && keep.includes(disk.device)) {
        const { path, from } = about("erase");
        yield error("E406", path, `${disk.device} is one of the disks to keep (disk.keep)`, {
          from,
          fix: "erase: false, or take it out of disk.keep.",
        });
      }
    }
  }
};

/** E407: where further disks are mounted. The system comes up without them, so nothing it needs may be on them. */
export const dataMounts: Rule = function* (input) {
  for (const host of livingHosts(input.inventory)) {
    const taken = new Map<string, string>();
    for (const [name, { mountpoint }] of Object.entries(host.disk.data)) {
      const { path, from } = field(input, host, "disk", "data", name, "mountpoint");
      if (ofSystem(host, mountpoint)) {
        yield error(
          "E407",
          path,
          `${mountpoint} belongs to the system, which starts without its further disks`,
          {
            from,
            fix: "Mount it where only data is, such as /srv or /var/lib/rancher/k3s/storage.",
          },
        );
      }
      const other = taken.get(mountpoint);
      if (other !== undefined) {
        yield error("E407", path, `disk.data.${other} is mounted at ${mountpoint} as well`, {
          from,
          fix: "Mount every disk at a place of its own.",
        });
      }
      taken.set(mountpoint, name);
    }
  }
};

const PLACES = ["/", "/var", "/var/lib", "/var/lib/nixos", "/var/log"];
const TREES =
  /^\/(?:bin|boot|dev|etc|lib|lib64|nix|proc|root|run|sbin|sys|tmp|usr|var\/(?:empty|lib\/macula-fleet|lib\/systemd|run))(?:\/|$)/;

const ofSystem = ({ disk }: Host, mountpoint: string): boolean =>
  PLACES.includes(mountpoint) ||
  TREES.test(mountpoint) ||
  // Its own subvolume.
  (disk.layout === "btrfs" && mountpoint === "/home");
