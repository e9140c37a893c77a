import type { Host } from "../inventory/model.ts";

/** What others know a host by in bootstrap lists: its public address, without the port. Pure. */
export const hostAddressOf = (host: Host): string =>
  (host.mesh.publicAddress ?? host.address).replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
