/** Names, roles, sites and architectures of a lab of N hosts: a miniature of a real fleet. [pure] */
import type { Role } from "../inventory/model.ts";

export interface LabHostShape {
  readonly name: string;
  readonly role: Role;
  readonly site: string;
}

const SITES = ["gent", "lyon", "porto", "riga", "oslo", "turin", "graz", "brno"];

const siteName = (i: number): string => SITES[i] ?? `site-${String(i + 1).padStart(2, "0")}`;

export const defaultSites = (hosts: number): number => Math.min(4, hosts);

/** 1-3 bootstrap hosts, about a tenth gateways, the rest peers; sites in turn, so that each holds some of each. */
export function fleetShape(hosts: number, sites: number = defaultSites(hosts)): readonly LabHostShape[] {
  const width = Math.max(2, String(hosts).length);
  const bootstraps = hosts < 5 ? 1 : hosts < 50 ? 2 : 3;
  const gateways = hosts < 4 ? 0 : Math.max(1, Math.round(hosts / 10));
  return Array.from({ length: hosts }, (_, i) => ({
    name: `node-${String(i + 1).padStart(width, "0")}`,
    // Bootstraps and gateways come last, so that node-01 is an ordinary host to try things on.
    role: i >= hosts - bootstraps ? "bootstrap" : i >= hosts - bootstraps - gateways ? "gateway" : "peer",
    site: siteName(i % sites),
  }));
}
