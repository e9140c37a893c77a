/** Who announces itself on the networks of this machine: mDNS, on every interface. Nobody vouches for a word of it. */
import { BlockList, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import bonjour from "bonjour-service";
import { ipv4Interfaces } from "./interfaces.ts";

/** One service of one machine, as announced. */
export interface Announcement {
  /** `macula`, `ssh` */
  readonly type: string;
  /** `node-02.local` */
  readonly host: string;
  readonly name: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly txt: Readonly<Record<string, string>>;
  /** Our interface that heard it. */
  readonly via: string;
}

export interface BrowseOptions {
  /** Service types without underscore and protocol. */
  readonly types: readonly string[];
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Interface name -> address; default: every IPv4 one that is up. */
  readonly interfaces?: ReadonlyMap<string, string>;
  /** UDP port; only tests use another than 5353. */
  readonly port?: number;
  /** An interface that cannot be listened on is told of, and left out. */
  readonly onProblem?: (via: string, message: string) => void;
}

/** What was heard within `timeoutMs`. Rejects on abort only. */
export async function browse(o: BrowseOptions): Promise<readonly Announcement[]> {
  const heard = new Map<string, Announcement>();
  const open = [...(o.interfaces ?? ipv4Interfaces())].map(([via, address]) => {
    // Bound to one address Linux would hand it no multicast at all.
    const options = {
      interface: address,
      bind: "0.0.0.0",
      ...(o.port === undefined ? {} : { port: o.port }),
    };
    // Its types know the options of services only; these go to multicast-dns.
    const mdns = new bonjour.Bonjour(options as object, (error: unknown) => {
      o.onProblem?.(via, error instanceof Error ? error.message : String(error));
    });
    const browsers = o.types.map((type) =>
      mdns.find({ type }, (s) => {
        if (isHeardElsewhere(via, s.referer?.address)) return;
        const announcement: Announcement = {
          type,
          host: s.host,
          name: s.name,
          port: s.port,
          addresses: s.addresses ?? [],
          txt: textOf(s.txt),
          via,
        };
        heard.set([via, type, s.fqdn].join("\0"), announcement);
      }),
    );
    return { mdns, browsers };
  });
  try {
    // Asked again half-way: one lost packet must not hide a machine.
    for (let i = 0; i < 2; i += 1) {
      await delay(o.timeoutMs / 2, undefined, { signal: o.signal });
      for (const { browsers } of open) for (const browser of browsers) browser.update();
    }
  } catch (error) {
    o.signal.throwIfAborted();
    throw error;
  } finally {
    for (const { mdns, browsers } of open) {
      for (const browser of browsers) browser.stop();
      mdns.destroy();
    }
  }
  return [...heard.values()];
}

/** Sockets on one port hear what arrives at any interface: an answer counts for the one whose network it is from. */
function isHeardElsewhere(via: string, sender: string | undefined): boolean {
  if (sender === undefined || !isIPv4(sender)) return false;
  const holds = (name: string) =>
    (networkInterfaces()[name] ?? []).some((a) => {
      if (a.family !== "IPv4") return false;
      const net = new BlockList();
      net.addSubnet(a.address, Number(a.cidr?.split("/")[1] ?? 32), "ipv4");
      return net.check(sender, "ipv4");
    });
  return !holds(via) && Object.keys(networkInterfaces()).some(holds);
}

function textOf(txt: unknown): Readonly<Record<string, string>> {
  if (typeof txt !== "object" || txt === null) return {};
  return Object.fromEntries(Object.entries(txt).map(([key, value]) => [key, String(value)]));
}
