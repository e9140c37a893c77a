import { networkInterfaces } from "node:os";

/** Interface name -> address, of every IPv4 one that is up. */
export function ipv4Interfaces(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(networkInterfaces()).flatMap(([name, list]) => {
      const address = (list ?? []).find((a) => a.family === "IPv4" && !a.internal)?.address;
      return address === undefined ? [] : [[name, address] as const];
    }),
  );
}
