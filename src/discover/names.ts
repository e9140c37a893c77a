/** Who answers to a `.local` name, asked on every interface at once. Anybody may answer: a hint, nothing more. */
import { setTimeout as delay } from "node:timers/promises";
import makeMdns from "multicast-dns";
import { ipv4Interfaces } from "./interfaces.ts";

export interface NameQuery {
  /** With `.local`. */
  readonly names: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Interface name -> address; default: every IPv4 one that is up. */
  readonly interfaces?: ReadonlyMap<string, string>;
  /** UDP port; only tests use another than 5353. */
  readonly port?: number;
}

/**
 * Addresses in the order they were heard, all answers of `timeoutMs`: several machines may have taken one name. Those
 * of one link carry its interface (`fe80::1%eth0`). An interface that cannot be asked is left out. Rejects on abort only.
 */
export async function addressesOf(query: NameQuery): Promise<readonly string[]> {
  const wanted = new Set(query.names.map((name) => name.toLowerCase()));
  const heard = new Set<string>();
  const asked = [...(query.interfaces ?? ipv4Interfaces())].map(([via, address]) => {
    const port = query.port === undefined ? {} : { port: query.port };
    // Bound to one address Linux would hand it no multicast at all.
    const mdns = makeMdns({ interface: address, bind: "0.0.0.0", ...port });
    mdns.on("error", () => undefined);
    mdns.on("response", ({ answers = [], additionals = [] }) => {
      for (const record of [...answers, ...additionals]) {
        if (record.type !== "A" && record.type !== "AAAA") continue;
        if (!wanted.has(record.name.toLowerCase())) continue;
        heard.add(record.data.toLowerCase().startsWith("fe80:") ? `${record.data}%${via}` : record.data);
      }
    });
    return mdns;
  });
  const questions = query.names.flatMap((name) => [
    { name, type: "A" as const },
    { name, type: "AAAA" as const },
  ]);
  try {
    // Asked again half-way: one lost packet must not hide a machine.
    for (let i = 0; i < 2 && asked.length > 0; i += 1) {
      for (const mdns of asked) mdns.query(questions);
      await delay(query.timeoutMs / 2, undefined, { signal: query.signal });
    }
  } catch (error) {
    query.signal.throwIfAborted();
    throw error;
  } finally {
    for (const mdns of asked) mdns.destroy();
  }
  return [...heard];
}
