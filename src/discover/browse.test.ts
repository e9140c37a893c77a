import bonjour from "bonjour-service";
import { expect, it } from "vitest";
import { browse } from "./browse.ts";

it("hears who announces itself, with its text fields", async () => {
  // Loopback, and not the port of real announcements.
  const port = 20_000 + (process.pid % 20_000);
  const options = { interface: "127.0.0.1", bind: "0.0.0.0", port, loopback: true };
  const advertiser = new bonjour.Bonjour(options as object);
  advertiser.publish({
    name: "MaculaOS on node-09",
    type: "macula",
    port: 6443,
    host: "node-09.local",
    probe: false,
    disableIPv6: true,
    txt: { v: "2", role: "gateway" },
  });
  try {
    const heard = await browse({
      types: ["macula", "ssh"],
      timeoutMs: 3_000,
      signal: new AbortController().signal,
      interfaces: new Map([["lo", "127.0.0.1"]]),
      port,
    });
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({
      type: "macula",
      host: "node-09.local",
      port: 6443,
      via: "lo",
      txt: { v: "2", role: "gateway" },
    });
  } finally {
    await new Promise<void>((done) => advertiser.unpublishAll(() => done()));
    advertiser.destroy();
  }
});

it("stops when told to", async () => {
  const call = browse({
    types: ["macula"],
    timeoutMs: 60_000,
    signal: AbortSignal.timeout(50),
    interfaces: new Map(),
  });
  await expect(call).rejects.toThrow("timeout");
});
