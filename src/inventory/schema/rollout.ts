import { z } from "zod";
import { COPY_PARALLEL } from "../../plan/policy.ts";
import { count, duration, quantity, role, text } from "./primitives.ts";

const canary = z.strictObject({
  count: quantity.exactOptional(),
  size: quantity.exactOptional().describe("Another name for count"),
  max: z.int().min(1).exactOptional(),
  spread: z.array(z.enum(["role", "site", "arch", "hardware", "version"])).exactOptional(),
  label: text.exactOptional().describe("Hosts with this label set to true are taken first"),
  select: z.array(text).exactOptional(),
  prefer: z.array(text).exactOptional(),
});

const maxUnavailable = z.strictObject({
  fleet: quantity.exactOptional(),
  site: quantity.exactOptional(),
  "role:peer": quantity.exactOptional(),
  "role:gateway": quantity.exactOptional(),
  "role:bootstrap": quantity.exactOptional(),
});

/** `cluster:NAME` keys are open; everything else is checked against the closed list above. */
const maxUnavailableMap = z
  .looseObject(maxUnavailable.shape)
  .catchall(quantity)
  .describe("Limits per fleet, site, role:NAME and cluster:NAME");

const maxFailures = z.strictObject({
  canary: quantity.exactOptional(),
  wave: quantity.exactOptional(),
  perSite: count.exactOptional(),
  count: count.exactOptional(),
  percent: quantity.exactOptional(),
});

const window = z.strictObject({
  days: z
    .array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
    .min(1)
    .exactOptional(),
  start: z
    .string({ error: 'must be a quoted time such as "23:30"' })
    .regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as "23:30"'),
  length: duration,
  tz: text.exactOptional().describe("IANA zone, or site for each site's own; default: site"),
});

const soak = z.strictObject({
  canary: duration.exactOptional(),
  wave: z.union([duration, z.array(duration).min(1)]).exactOptional(),
});

const COPIES = `must be a whole number of hosts, 1 to ${COPY_PARALLEL.most}`;

export const copies = z.int({ error: COPIES }).min(1, COPIES).max(COPY_PARALLEL.most, COPIES);

const offlinePolicy = z.enum(["defer", "fail", "skip"]);

export const rollout = z.strictObject({
  strategy: z.enum(["all", "serial", "canary", "waves"]).exactOptional(),
  order: z.array(role).exactOptional(),
  canary: z.union([quantity, canary]).exactOptional(),
  waves: z.array(quantity).min(1).exactOptional(),
  maxParallel: quantity.exactOptional(),
  maxUnavailable: z.union([quantity, maxUnavailableMap]).exactOptional(),
  maxFailures: z.union([quantity, maxFailures]).exactOptional(),
  perSite: z
    .strictObject({ activating: z.int().min(1).exactOptional(), copying: z.int().min(1).exactOptional() })
    .exactOptional(),
  copyParallel: copies
    .exactOptional()
    .describe(`Hosts copied to at the same time, in the whole fleet; default: ${COPY_PARALLEL.usual}`),
  onFailure: z.enum(["pause", "rollback", "continue"]).exactOptional(),
  autoRollback: z
    .boolean()
    .exactOptional()
    .describe("A failed host always reverts itself; only true is accepted"),
  promote: z.enum(["auto", "manual"]).exactOptional(),
  confirmTimeout: duration.exactOptional(),
  minHealthyTime: duration.exactOptional(),
  healthyDeadline: duration.exactOptional(),
  healthTimeout: duration.exactOptional().describe("Another name for healthyDeadline"),
  progressDeadline: duration.exactOptional(),
  soak: z.union([duration, z.array(duration).min(1), soak]).exactOptional(),
  finalBake: duration.exactOptional(),
  offline: z
    .union([
      offlinePolicy,
      z.strictObject({
        policy: offlinePolicy.exactOptional(),
        catchUp: duration.exactOptional(),
        unreachableDeadline: duration.exactOptional(),
      }),
    ])
    .exactOptional(),
  windows: z.array(window).exactOptional(),
  reboot: z.enum(["never", "if-needed", "always"]).exactOptional(),
});

export type RolloutStanza = z.infer<typeof rollout>;

export const rolePolicy = z.strictObject({
  maxUnavailable: quantity.exactOptional(),
  maxParallel: quantity.exactOptional(),
  minAvailable: z
    .union([quantity, z.strictObject({ fleet: quantity.exactOptional(), perSite: quantity.exactOptional() })])
    .exactOptional(),
  soak: duration.exactOptional(),
});

export type RoleStanza = z.infer<typeof rolePolicy>;
