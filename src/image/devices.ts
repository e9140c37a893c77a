/** Which disks of this machine an image may be written to: removable ones that nobody uses. Pure. */
import { z } from "zod";

/** As `lsblk --json --bytes` tells it. */
const Node = z.object({
  path: z.string(),
  size: z.coerce.number(),
  type: z.string(),
  model: z.string().nullish(),
  serial: z.string().nullish(),
  tran: z.string().nullish(),
  rm: z.coerce.boolean().default(false),
  hotplug: z.coerce.boolean().default(false),
  ro: z.coerce.boolean().default(false),
  fstype: z.string().nullish(),
  mountpoints: z.array(z.string().nullable()).default([]),
  get children(): z.ZodOptional<z.ZodArray<typeof Node>> {
    return z.array(Node).optional();
  },
});
export type BlockNode = z.infer<typeof Node>;
export const Lsblk = z.object({ blockdevices: z.array(Node) });

/** A whole disk. Size in bytes. */
export interface BlockDevice {
  readonly path: string;
  readonly size: number;
  readonly model: string;
  readonly serial: string;
  readonly removable: boolean;
  readonly readOnly: boolean;
  /** `disk`, `part`, `loop`, … */
  readonly type: string;
  /** Where it, or anything on it, is mounted or used as swap. */
  readonly uses: readonly string[];
  /** Partitions and what is on them. */
  readonly contents: readonly string[];
}

/** Every device and partition, flat. */
export function devicesOf(nodes: readonly BlockNode[]): readonly BlockDevice[] {
  return nodes.flatMap((node) => [deviceOf(node), ...devicesOf(node.children ?? [])]);
}

function deviceOf(node: BlockNode): BlockDevice {
  const below = (n: BlockNode): readonly BlockNode[] => [n, ...(n.children ?? []).flatMap(below)];
  return {
    path: node.path,
    size: node.size,
    model: (node.model ?? "").trim(),
    serial: (node.serial ?? "").trim(),
    removable: node.rm || node.hotplug || node.tran === "usb" || node.tran === "mmc",
    readOnly: node.ro,
    type: node.type,
    uses: below(node).flatMap((n) => n.mountpoints.filter((m) => m !== null)),
    contents: below(node)
      .filter((n) => n !== node)
      .map((n) => `${n.path} ${n.fstype ?? "unknown"}`),
  };
}

/** What forbids writing `imageBytes` to `path` (symlinks resolved); null: nothing. */
export function refuseDevice(
  path: string,
  devices: readonly BlockDevice[],
  imageBytes: number,
): { readonly message: string; readonly fix: string } | null {
  const device = devices.find((d) => d.path === path);
  const choices = devices.filter((d) => isChoice(d)).map((d) => `${d.path} (${d.model || d.type})`);
  const choose = choices.length > 0 ? `possible here: ${choices.join(", ")}` : "plug a stick or a card in";
  if (!device) return { message: `${path} is no disk of this machine`, fix: choose };
  if (
    device.uses.some((use) =>
      ["/", "/boot", "/boot/efi", "/nix", "/usr", "/home", "/var", "[SWAP]"].includes(use),
    )
  )
    return { message: `${path} is a disk of this system (${device.uses.join(", ")})`, fix: choose };
  if (device.uses.length > 0)
    return {
      message: `${path} is mounted at ${device.uses.join(", ")}`,
      fix: `unmount it: umount ${device.uses.join(" ")}`,
    };
  if (device.type !== "disk" && device.type !== "loop")
    return { message: `${path} is a ${device.type}, not a whole disk`, fix: choose };
  if (!device.removable && device.type !== "loop")
    return { message: `${path} is not removable: it may well be this machine's own`, fix: choose };
  if (device.readOnly)
    return { message: `${path} cannot be written to`, fix: "move its write-protect switch" };
  if (device.size < imageBytes)
    return {
      message: `${path} holds ${device.size} bytes, the image has ${imageBytes}`,
      fix: "use a larger one",
    };
  return null;
}

const isChoice = (d: BlockDevice): boolean =>
  d.type === "disk" && d.removable && !d.readOnly && d.uses.length === 0 && d.size > 0;
