/**
 * What a `FleetInventory` may say, strictly: unknown keys are errors. This is the source of
 * `inventory/schema.json` (written by `scripts/generate-schema.ts`). Defaults are not applied here.
 */
import { z } from "zod";
import { hostEntry, hostVars } from "./schema/host-vars.ts";
import { checkConfig, flakeRef, port, publicKey, secretRef, slug, text } from "./schema/primitives.ts";
import { rolePolicy, rollout } from "./schema/rollout.ts";
import { SITE_WINDOW } from "./site-window.ts";

export const API_VERSION = "macula.io/v1";
export const KIND = "FleetInventory";

const fleet = z.strictObject({
  name: slug,
  realm: z
    .string()
    .regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/, "must be a reverse domain name such as io.macula.home"),
  flake: flakeRef,
  release: z
    .string({ error: 'must be a quoted release such as "26.05"' })
    .regex(/^\d\d\.(?:05|11)$/, 'must be a release such as "26.05"')
    .exactOptional(),
});

const bastion = z.strictObject({
  address: text,
  port: port.exactOptional(),
  user: text.exactOptional(),
  hostKey: publicKey.exactOptional(),
  identityFile: text.exactOptional(),
  bastion: slug.exactOptional().describe("Next hop outward"),
});

const site = z.strictObject({
  vars: hostVars.exactOptional(),
  timezone: text.exactOptional(),
  window: z
    .string()
    .regex(SITE_WINDOW, "must be days and hours such as Tue 02:00-05:00 or Sat,Sun 23:00-01:00")
    .exactOptional(),
  location: text.exactOptional(),
  uplink: z
    .strictObject({
      mbps: z.number().positive().exactOptional(),
      monthlyGB: z.number().positive().exactOptional(),
      concurrentCopies: z.int().min(1).exactOptional(),
      metered: z.boolean().exactOptional(),
    })
    .exactOptional(),
  seed: text
    .exactOptional()
    .describe("Host that closures reach over the uplink; its neighbours take them from it"),
});

const group = z.strictObject({
  vars: hostVars.exactOptional(),
  children: z.array(slug).exactOptional(),
});

const cluster = z.strictObject({
  tokenRef: secretRef.exactOptional(),
  agentTokenRef: secretRef.exactOptional(),
  datastore: z.enum(["sqlite", "etcd", "external"]).exactOptional(),
  datastoreRef: secretRef
    .exactOptional()
    .describe("With datastore: external; the value is k3s's datastore endpoint, such as postgres://…"),
  flannelBackend: text.exactOptional(),
  serverAddr: text.exactOptional(),
  external: z.boolean().exactOptional(),
  perHost: z.boolean().exactOptional().describe("Every host is a cluster of its own"),
});

export const inventorySchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  fleet,
  cache: z.strictObject({ url: text, publicKey: text }).exactOptional(),
  defaults: hostVars.exactOptional(),
  bastions: z.record(slug, bastion).exactOptional(),
  clusters: z.record(slug, cluster).exactOptional(),
  sites: z.record(slug, site.nullable()).exactOptional(),
  groups: z.record(slug, group.nullable()).exactOptional(),
  hosts: z.record(z.string(), hostEntry.nullable()).describe("Names may be ranges: store-[001:120]"),
  rollout: rollout.exactOptional(),
  roles: z
    .strictObject({
      peer: rolePolicy.exactOptional(),
      gateway: rolePolicy.exactOptional(),
      bootstrap: rolePolicy.exactOptional(),
    })
    .exactOptional(),
  checks: z.array(checkConfig).exactOptional(),
  lab: z
    .strictObject({ backend: z.enum(["sim", "docker"]), dir: text })
    .exactOptional()
    .describe("Written by `macula-fleet lab up` only"),
});

/** An inventory as written: valid by itself, nothing merged, no defaults. */
export type InventoryDocument = z.infer<typeof inventorySchema>;

/** JSON Schema (draft-07) for editors: completion and checks while typing. */
export function inventoryJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(inventorySchema, { target: "draft-7", io: "input" });
  const { $schema, ...rest } = schema;
  return { $schema, title: "macula-fleet inventory", ...rest };
}
