import { expect, it } from "vitest";
import { devicesOf, Lsblk, refuseDevice } from "./devices.ts";

/** As lsblk says it of a laptop with a stick, a card and an installer's stick in use. */
const LSBLK = {
  blockdevices: [
    {
      path: "/dev/nvme0n1",
      size: 5e11,
      type: "disk",
      model: "Samsung",
      serial: "N1",
      tran: "nvme",
      rm: false,
      hotplug: false,
      ro: false,
      mountpoints: [null],
      children: [
        { path: "/dev/nvme0n1p1", size: 1e9, type: "part", fstype: "vfat", mountpoints: ["/boot"] },
        {
          path: "/dev/nvme0n1p2",
          size: 4e11,
          type: "part",
          fstype: "crypto_LUKS",
          mountpoints: [null],
          children: [{ path: "/dev/mapper/root", size: 4e11, type: "crypt", mountpoints: ["/"] }],
        },
      ],
    },
    {
      path: "/dev/sda",
      size: 2e12,
      type: "disk",
      model: "Backup",
      serial: "B",
      tran: "sata",
      rm: false,
      hotplug: false,
      ro: false,
      mountpoints: [null],
    },
    {
      path: "/dev/sdb",
      size: 16e9,
      type: "disk",
      model: "Ultra",
      serial: "U",
      tran: "usb",
      rm: true,
      hotplug: true,
      ro: false,
      mountpoints: [null],
      children: [{ path: "/dev/sdb1", size: 16e9, type: "part", fstype: "vfat", mountpoints: [null] }],
    },
    {
      path: "/dev/sdc",
      size: 16e9,
      type: "disk",
      model: "Ultra",
      serial: "V",
      tran: "usb",
      rm: true,
      hotplug: true,
      ro: false,
      mountpoints: [null],
      children: [
        { path: "/dev/sdc1", size: 16e9, type: "part", fstype: "vfat", mountpoints: ["/media/me/PHOTOS"] },
      ],
    },
    {
      path: "/dev/mmcblk0",
      size: 32e9,
      type: "disk",
      model: null,
      serial: null,
      tran: null,
      rm: "0",
      hotplug: "1",
      ro: true,
      mountpoints: [null],
    },
  ],
};
const devices = devicesOf(
  Lsblk.parse({
    blockdevices: LSBLK.blockdevices.map((d) => ({
      ...d,
      rm: d.rm === true,
      hotplug: d.hotplug === true || d.hotplug === "1",
    })),
  }).blockdevices,
);

it.each([
  ["/dev/sdb", 1e9, null],
  ["/dev/sdb", 17e9, "holds 16000000000 bytes"],
  ["/dev/sdb1", 1e9, "not a whole disk"],
  ["/dev/nvme0n1", 1e9, "disk of this system"],
  ["/dev/sda", 1e9, "not removable"],
  ["/dev/sdc", 1e9, "mounted at /media/me/PHOTOS"],
  ["/dev/mmcblk0", 1e9, "cannot be written to"],
  ["/dev/sdz", 1e9, "no disk of this machine"],
])("%s for %d bytes: %s", (path, bytes, message) => {
  const refused = refuseDevice(path, devices, bytes);
  if (message === null) expect(refused).toBeNull();
  else expect(refused?.message).toContain(message);
});

it("says which disks would do", () => {
  expect(refuseDevice("/dev/sda", devices, 1)?.fix).toBe("possible here: /dev/sdb (Ultra)");
});
