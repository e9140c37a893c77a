/** What only a running node can tell, kept beside its files under paths that cannot exist there. Pure. */
import { z } from "zod";

const at = (name: string) => `/run/macula-fleet-import/${name}`;

export const LIVE = {
  hostname: at("hostname"),
  addresses: at("addresses.json"),
  routes: at("routes.json"),
  disks: at("disks.json"),
  arch: at("arch"),
  boot: at("boot"),
  mounts: at("mounts"),
  hostKeys: at("host-keys"),
  serial: at("serial"),
  k3sVersion: at("k3s-version"),
} as const;

const Route = z.array(
  z.looseObject({ dst: z.string().optional(), dev: z.string().optional(), gateway: z.string().optional() }),
);
const Link = z.array(z.looseObject({ ifname: z.string(), address: z.string().optional() }));
const BlockDevice = z.looseObject({
  path: z.string().optional(),
  name: z.string(),
  type: z.string().optional(),
  size: z.union([z.number(), z.string()]).optional(),
  serial: z.string().nullable().optional(),
  model: z.string().nullable().optional(),
  mountpoint: z.string().nullable().optional(),
  fstype: z.string().nullable().optional(),
  get children() {
    return z.array(BlockDevice).optional();
  },
});
export type BlockDevice = z.infer<typeof BlockDevice>;
const Lsblk = z.object({ blockdevices: z.array(BlockDevice) });

/** The device of the default route. */
export function liveNetwork(
  addresses: string | undefined,
  routes: string | undefined,
): { mac?: string; gateway?: string } | null {
  const links = parse(Link, addresses);
  const route = parse(Route, routes)?.find((r) => r.dst === "default");
  const link = links?.find((l) => l.ifname === route?.dev);
  if (!route || !link) return null;
  return {
    ...(link.address ? { mac: link.address } : {}),
    ...(route.gateway ? { gateway: route.gateway } : {}),
  };
}

export function liveDisks(text: string | undefined): readonly BlockDevice[] {
  return parse(Lsblk, text)?.blockdevices ?? [];
}

function parse<T>(schema: z.ZodType<T>, text: string | undefined): T | null {
  if (text === undefined || text.trim() === "") return null;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
