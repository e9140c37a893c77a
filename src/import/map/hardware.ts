/** The machine: its processor, how it boots, which disk holds the system, what else it has. */
import { type Contribution, type Mapping, type NeedsHuman, needs } from "../contribution.ts";
import { type BlockDevice, LIVE, liveDisks } from "../read/live.ts";

const ARCH: Readonly<Record<string, string>> = {
  x86_64: "x86_64-linux",
  amd64: "x86_64-linux",
  aarch64: "aarch64-linux",
  arm64: "aarch64-linux",
};

export const machine: Mapping = {
  topic: "machine",
  map({ files, os }): Contribution {
    const human: NeedsHuman[] = [];
    const uname = files.text(LIVE.arch)?.trim();
    const arch = uname === undefined ? undefined : ARCH[uname];
    if (uname !== undefined && arch === undefined) {
      human.push(
        needs(
          "machine",
          `${uname} is not supported by this fleet's NixOS`,
          "leave it on k3OS: os: k3os with convert: false",
        ),
      );
    }
    const boot = files.text(LIVE.boot)?.trim();
    const tty = os.install?.tty;
    const keys = (files.text(LIVE.hostKeys) ?? "")
      .split("\n")
      .filter((k) => /^(?:ssh-|ecdsa-)\S+ \S+/.test(k))
      .map((k) => k.split(" ").slice(0, 2).join(" "));
    if (boot === undefined)
      human.push(
        needs(
          "machine",
          "how it boots is not in these files",
          "set hardware.boot: uefi or bios (default: uefi)",
        ),
      );
    return {
      host: {
        os: "k3os",
        convert: true,
        ...(arch ? { arch } : {}),
        hardware: {
          ...(boot === "uefi" || boot === "bios" || boot === "rpi" ? { boot } : {}),
          ...(tty ? { consoles: [tty] } : {}),
        },
        ...(keys.length > 0 ? { identity: { hostKeys: keys } } : {}),
      },
      human,
    };
  },
};

const STATE_LABELS = /^\/(?:var\/lib\/maculaos|macula\/|k3os\/|$)/;

export const disk: Mapping = {
  topic: "disk",
  map({ files, os }): Contribution {
    const disks = liveDisks(files.text(LIVE.disks)).filter(
      (d) => (d.type ?? "disk") === "disk" && !/^(?:loop|ram|zram|sr|fd)/.test(d.name),
    );
    const device = os.install?.device;
    if (disks.length === 0) {
      return {
        human: [
          needs(
            "disk",
            device
              ? `it was installed to ${device}, which may name another disk tomorrow`
              : "its disks are not in these files",
            "set disk.device to /dev/disk/by-id/… and disk.serial, or read the node itself: macula-fleet import HOST",
          ),
        ],
      };
    }
    const holds = (d: BlockDevice): boolean =>
      STATE_LABELS.test(d.mountpoint ?? "-") || (d.children ?? []).some(holds);
    const system = disks.find(holds) ?? (disks.length === 1 ? disks[0] : undefined);
    const extra = disks.filter((d) => d !== system);
    const human: NeedsHuman[] = [];
    if (!system)
      human.push(
        needs(
          "disk",
          `the system could be on any of ${disks.map((d) => d.name).join(", ")}`,
          "set disk.device and disk.serial",
        ),
      );
    for (const d of extra)
      human.push(
        needs(
          "disk",
          `there is another disk: ${d.name}${d.model ? ` (${d.model})` : ""}`,
          "it is not touched; mount it by fileSystems in the flake if it is used",
        ),
      );
    const serial = system?.serial?.trim();
    if (system && !serial)
      human.push(
        needs("disk", `${system.name} has no serial number`, "set disk.device to /dev/disk/by-id/…"),
      );
    // By its serial, never by /dev/sdX: `facts` takes the one disk that has it.
    return { host: { disk: { device: "facts", ...(serial ? { serial } : {}) } }, human };
  },
};

/** Storage disko knows nothing of. */
export const storage: Mapping = {
  topic: "storage",
  map({ files }): Contribution {
    const human: NeedsHuman[] = [];
    const crypt = (files.text("/etc/crypttab") ?? "").split("\n").filter((l) => /^\s*[^#\s]/.test(l));
    const mounts = files.text(LIVE.mounts) ?? "";
    const stack = JSON.stringify(liveDisks(files.text(LIVE.disks)));
    if (crypt.length > 0 || mounts.includes("/dev/mapper/maculaos-data") || stack.includes("crypto_LUKS")) {
      human.push(
        needs(
          "storage",
          "part of its disk is encrypted (LUKS)",
          "conversion is refused: decrypt or back it up by hand, then install with disk.encryption",
        ),
      );
    }
    for (const [kind, pattern] of [
      ["NFS", /\snfs4?\s/],
      ["iSCSI or multipath", /\/dev\/mapper\/mpath|_netdev/],
      ["mdadm", /\/dev\/md\d/],
      ["LVM", /LVM2_member/],
    ] as const) {
      if (pattern.test(`${mounts}\n${files.text("/etc/fstab") ?? ""}\n${stack}`)) {
        human.push(
          needs(
            "storage",
            `it uses ${kind}`,
            "write it as fileSystems in the flake; check that nothing of it is on the system disk",
          ),
        );
      }
    }
    return { human };
  },
};
