/** Addresses, names, time and radio. What the node does now counts, not what a wizard once wrote. */
import { Secret } from "../../kernel/secret.ts";
import {
  type Contribution,
  type Mapping,
  type NeedsHuman,
  type NodeView,
  needs,
  type SecretFile,
  secretFile,
} from "../contribution.ts";
import { ini } from "../read/ini.ts";
import { LIVE, liveNetwork } from "../read/live.ts";

export const resolvers: Mapping = {
  topic: "dns and time",
  map: ({ os }) => ({
    host: {
      network: {
        ...(os.dnsNameservers?.length ? { dns: [...os.dnsNameservers] } : {}),
        ...(os.ntpServers?.length ? { ntp: [...os.ntpServers] } : {}),
      },
    },
    ...(os.dnsNameservers?.length || os.ntpServers?.length
      ? { notes: ["name and time servers were fallbacks on k3OS; on NixOS they are used first"] }
      : {}),
  }),
};

export const wifi: Mapping = {
  topic: "wi-fi",
  map(node): Contribution {
    const networks = new Map<string, string>();
    for (const { name, passphrase } of node.os.wifi ?? []) if (name) networks.set(name, passphrase ?? "");
    for (const path of node.files.below("/var/lib/connman")) {
      if (!/\/wifi_[^/]*\/settings$/.test(path)) continue;
      for (const section of ini(node.files.text(path) ?? "").values()) {
        if (section.Name !== undefined) networks.set(section.Name, section.Passphrase ?? "");
      }
    }
    if (networks.size === 0) return {};
    const secrets: SecretFile[] = [];
    const human: NeedsHuman[] = [
      needs(
        "wi-fi",
        "an installation cannot go over Wi-Fi",
        "connect a cable for the conversion; afterwards the networks below are used again",
      ),
    ];
    const list = [...networks].flatMap(([ssid, passphrase], i) => {
      if (passphrase === "") {
        human.push(
          needs(
            "wi-fi",
            `the network ${JSON.stringify(ssid)} has no passphrase here`,
            "open and enterprise networks are configured in the flake",
          ),
        );
        return [];
      }
      const file = secretFile(node, `wifi-${i}`);
      secrets.push({ file, value: new Secret(passphrase) });
      return [{ ssid, pskRef: `file:${file}` }];
    });
    return { ...(list.length > 0 ? { host: { network: { wifi: list } } } : {}), secrets, human };
  },
};

export const addresses: Mapping = {
  topic: "addresses",
  map(node): Contribution {
    const manual = manualAddress(node);
    const stated = node.wizard?.network;
    const human: NeedsHuman[] = [];
    if (stated?.dhcp === false && manual === null) {
      human.push(
        needs(
          "addresses",
          `the wizard wrote ${stated.ip_address ?? "a static address"}, but the node never used it`,
          "the live configuration counts: it uses DHCP; correct network.static if that is wrong",
        ),
      );
    }
    if (manual === null) return { host: { network: { dhcp: true } }, human };
    const live = liveNetwork(node.files.text(LIVE.addresses), node.files.text(LIVE.routes));
    const mac = manual.mac ?? live?.mac;
    if (mac === undefined || manual.gateway === undefined) {
      human.push(
        needs(
          "addresses",
          `it has the static address ${manual.address}, but ${mac ? "no gateway" : "no MAC address"} is known`,
          "complete network.static: mac, address, gateway",
        ),
      );
      return { human };
    }
    return {
      host: {
        network: {
          dhcp: false,
          static: {
            mac,
            address: manual.address,
            gateway: manual.gateway,
            ...(manual.dns.length > 0 ? { dns: manual.dns } : {}),
          },
        },
      },
      human,
    };
  },
};

/** connman's own record of a static address: `ethernet_<mac>_cable/settings` with `IPv4.method=manual`. */
function manualAddress({ files }: NodeView) {
  for (const path of files.below("/var/lib/connman")) {
    if (!path.endsWith("/settings")) continue;
    for (const s of ini(files.text(path) ?? "").values()) {
      if (s["IPv4.method"] !== "manual" || !s["IPv4.local_address"]) continue;
      const hex = /_([0-9a-f]{12})_/.exec(path)?.[1];
      return {
        mac: hex?.match(/../g)?.join(":"),
        address: `${s["IPv4.local_address"]}/${s["IPv4.netmask_prefixlen"] ?? "24"}`,
        gateway: s["IPv4.gateway"],
        dns: (s.Nameservers ?? "").split(";").filter((d) => d !== ""),
      };
    }
  }
  return null;
}
