import makeMdns from "multicast-dns";
import { expect, it } from "vitest";
import { addressesOf } from "./names.ts";

// Loopback, and not the port of real announcements.
const port = 20_000 + ((process.pid + 7_919) % 20_000);
const interfaces = new Map([["lo", "127.0.0.1"]]);
const { signal } = new AbortController();

it("hears everybody who answers to a name, and nobody else", async () => {
  const responder = makeMdns({ interface: "127.0.0.1", bind: "0.0.0.0", port });
  const a = (name: string, data: string) => ({ name, type: "A" as const, ttl: 120, data });
  responder.on("query", ({ questions = [] }) => {
    if (!questions.some((q) => q.name === "nixos-installer.local" && q.type === "A")) return;
    responder.respond([a("nixos-installer.local", "192.0.2.7"), a("printer.local", "192.0.2.9")]);
    responder.respond([a("Nixos-Installer.local", "192.0.2.8")]);
    responder.respond([{ name: "nixos-installer.local", type: "AAAA", ttl: 120, data: "fe80::1" }]);
  });
  try {
    const heard = await addressesOf({
      names: ["nixos-installer.local", "node-01.local"],
      timeoutMs: 1_000,
      signal,
      interfaces,
      port,
    });
    expect(new Set(heard)).toEqual(new Set(["192.0.2.7", "192.0.2.8", "fe80::1%lo"]));
  } finally {
    responder.destroy();
  }
});

it("hears nobody where nobody answers, and needs no interface", async () => {
  expect(await addressesOf({ names: ["x.local"], timeoutMs: 10, signal, interfaces: new Map() })).toEqual([]);
});

it("stops when told to", async () => {
  const call = addressesOf({
    names: ["x.local"],
    timeoutMs: 60_000,
    signal: AbortSignal.timeout(50),
    interfaces,
    port,
  });
  await expect(call).rejects.toThrow("timeout");
});
