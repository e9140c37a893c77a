/** Mesh roles, peers and identity: four places may say something, and they are weighed. */
import { parse } from "yaml";
import { z } from "zod";
import { type Contribution, type Mapping, type NeedsHuman, type NodeView, needs } from "../contribution.ts";

interface Said {
  readonly by: string;
  readonly bootstrap?: boolean | undefined;
  readonly gateway?: boolean | undefined;
  readonly peers?: readonly string[] | undefined;
  readonly realm?: string | undefined;
  readonly tlsMode?: string | undefined;
}

const MeshFile = z.looseObject({
  roles: z.looseObject({ bootstrap: z.boolean().optional(), gateway: z.boolean().optional() }).optional(),
  bootstrapPeers: z.array(z.string()).optional(),
  realm: z.string().optional(),
  tlsMode: z.string().optional(),
});

/** Strongest first: mesh.yaml, then `maculaos.mesh`, then the wizard, then single-word files. */
function sayings({ files, os, wizard }: NodeView): Said[] {
  const file = tryParse(files.text("/var/lib/maculaos/mesh.yaml"));
  const role = files.text("/var/lib/maculaos/mesh-role")?.trim().toLowerCase();
  const realm = files.text("/var/lib/maculaos/realm")?.trim();
  return [
    ...(file ? [said("mesh.yaml", file)] : []),
    ...(os.mesh ? [said("maculaos.mesh", os.mesh)] : []),
    ...(wizard ? [{ by: "the wizard", peers: wizard.bootstrap_peers, realm: wizard.realm }] : []),
    ...(role
      ? [{ by: "mesh-role", bootstrap: role.includes("bootstrap"), gateway: role.includes("gateway") }]
      : []),
    ...(realm ? [{ by: "the file realm", realm }] : []),
  ];
}

function said(by: string, m: z.infer<typeof MeshFile> | NonNullable<NodeView["os"]["mesh"]>): Said {
  return {
    by,
    bootstrap: m.roles?.bootstrap,
    gateway: m.roles?.gateway,
    peers: m.bootstrapPeers,
    realm: m.realm,
    tlsMode: m.tlsMode,
  };
}

function tryParse(text: string | undefined): z.infer<typeof MeshFile> | null {
  if (text === undefined) return null;
  try {
    return MeshFile.safeParse(parse(text)).data ?? null;
  } catch {
    return null;
  }
}

export const mesh: Mapping = {
  topic: "mesh",
  map(node): Contribution {
    const all = sayings(node);
    const human: NeedsHuman[] = [];
    const pick = <K extends Exclude<keyof Said, "by">>(field: K, label: string): Said[K] | undefined => {
      const heard = all.filter((s) => s[field] !== undefined);
      const [first] = heard;
      const other = heard.find((s) => JSON.stringify(s[field]) !== JSON.stringify(first?.[field]));
      if (first && other) {
        human.push(
          needs(
            "mesh",
            `${label}: ${first.by} says ${JSON.stringify(first[field])}, ${other.by} says ${JSON.stringify(other[field])}`,
            `${first.by} was taken, as the node does; correct it if that is wrong`,
          ),
        );
      }
      return first?.[field];
    };
    const bootstrap = pick("bootstrap", "bootstrap role");
    const gateway = pick("gateway", "gateway role");
    const peers = pick("peers", "bootstrap peers");
    const realm = pick("realm", "realm");
    const tlsMode = pick("tlsMode", "TLS mode");
    const roles = [...(bootstrap ? ["bootstrap"] : []), ...(gateway ? ["gateway"] : [])];
    return {
      host: {
        ...(roles.length > 0 ? { roles } : { role: "peer" }),
        mesh: {
          ...(peers?.length ? { bootstrapPeers: [...peers] } : {}),
          ...(tlsMode === "development" || tlsMode === "production" ? { tlsMode } : {}),
        },
      },
      ...(realm ? { realm } : {}),
      human,
    };
  },
};

const Identity = z.looseObject({ did: z.string().optional() });

export const identity: Mapping = {
  topic: "identity",
  map({ files, wizard }): Contribution {
    let did = wizard?.node_id ?? undefined;
    const human: NeedsHuman[] = [];
    const text = files.text("/var/lib/maculaos/identity.json");
    if (text !== undefined) {
      try {
        const own = Identity.safeParse(JSON.parse(text)).data?.did;
        if (own && did && own !== did)
          human.push(
            needs(
              "identity",
              `identity.json says ${own}, the wizard's node_id ${did}`,
              "identity.json holds the key and was taken",
            ),
          );
        did = own ?? did;
      } catch {
        human.push(
          needs(
            "identity",
            "identity.json cannot be read",
            "look at it on the node: without it the node gets a new mesh identity",
          ),
        );
      }
    }
    return { ...(did ? { host: { identity: { did } } } : {}), human };
  },
};
