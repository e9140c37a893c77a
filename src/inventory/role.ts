/** What a host is to the mesh. Every host is a peer; gateways and bootstraps are the critical few. */
export type Role = "peer" | "gateway" | "bootstrap";
export const ROLES: readonly Role[] = ["peer", "gateway", "bootstrap"];
