/** Closures that reach a site once: what goes to the seed, what the neighbours take, and what happens when they cannot. */
import { describe, expect, it } from "vitest";
import type { Activation } from "../../src/host/driver.ts";
import { identify } from "../../src/host/scripts.ts";
import { createSshDriver } from "../../src/host/ssh-driver.ts";
import type { Host } from "../../src/inventory/model.ts";
import type { Command } from "../../src/kernel/shell.ts";
import type { ClosureSource } from "../../src/nix/closures.ts";
import type { Completed, Session, Target } from "../../src/transport/transport.ts";
import { aHost } from "../support/fleet.ts";

const signal = new AbortController().signal;
const path = (name: string) => `/nix/store/${"a".repeat(32)}-${name}`;
const hash = `sha256:${"0".repeat(52)}`;
const [seed, peer, other] = [aHost("seed"), aHost("peer"), aHost("other")];
const systemOf = (host: string) => path(`system-${host}`);

const activation = (host: Host): Activation => ({
  rollout: "r-1",
  attempt: 1,
  fence: 1,
  from: path("old"),
  to: systemOf(host.name),
  mode: "test",
  confirmTimeoutMs: 1000,
});

/** Every system shares `base`; hosts keep what they were given, as stores do. */
const closures: ClosureSource = {
  revision: async () => "r",
  build: async () => new Map(),
  disko: async () => new Map(),
  requisites: async (toplevel) => [
    { path: path("base"), size: 1000, hash },
    { path: toplevel, size: 10, hash },
  ],
  async *export(paths) {
    for (const p of paths) yield Buffer.from(`${p}\n`);
  },
};

/** A site whose hosts have stores; `refuse`: exit status by host and script. */
function site(refuse: Readonly<Record<string, number>> = {}) {
  const stores = new Map<string, Set<string>>();
  const log: string[] = [];
  const offers = new Map<string, { from: string; paths: string[] }>();
  const storeOf = (host: string) => {
    const known = stores.get(host) ?? new Set<string>();
    stores.set(host, known);
    return known;
  };
  const answer = (host: string, name: string, p: Readonly<Record<string, string>>): object => {
    const words = (text: string | undefined) => (text ?? "").split("\n").filter((l) => l !== "");
    switch (name) {
      case "missing":
        return { missing: words(p.PATHS).filter((x) => !storeOf(host).has(x)), storeFree: 1e9 };
      case "lend":
        offers.set(p.TOKEN ?? "", { from: host, paths: words(p.PATHS) });
        return { address: "10.0.0.7" };
      case "borrow":
        for (const x of offers.get(p.TOKEN ?? "")?.paths ?? []) storeOf(host).add(x);
        return { did: "borrowed" };
      default:
        return { did: name, rebootNeeded: false };
    }
  };
  const sessionWith = (host: string): Session => ({
    hostKeyFingerprint: "SHA256:x",
    async run({ stdin, label, line }: Command): Promise<Completed> {
      const done: Completed = { code: 0, stdout: "", stderr: "" };
      if (label === "elevation") return { ...done, stdout: "root\n" };
      if (label === "receive") {
        const parts: Uint8Array[] = [];
        for await (const part of stdin as AsyncIterable<Uint8Array>) parts.push(part);
        const { gunzipSync } = await import("node:zlib");
        const paths = gunzipSync(Buffer.concat(parts)).toString().trim().split("\n");
        for (const p of paths) storeOf(host).add(p);
        log.push(`${host} gets ${paths.map((p) => p.slice(44)).join(" ")}`);
        return done;
      }
      const script = identify(String(stdin));
      if (!script) throw new Error(`not a script: ${line}`);
      const status = refuse[`${host} ${script.name}`];
      if (script.name === "lend" || script.name === "borrow") log.push(`${host} ${script.name}s`);
      if (status !== undefined) return { ...done, code: status, stderr: "macula-fleet: no\n" };
      return {
        ...done,
        stdout: JSON.stringify({ schema: 1, ...answer(host, script.name, script.parameters) }),
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  });
  const open = async (target: Target) => sessionWith(target.name);
  const driver = createSshDriver({
    pool: { session: open, fresh: open },
    closures,
    targetOf: (host) => ({ name: host.name, address: host.name, port: 22, user: "root" }) as Target,
    seedOf: (host) => (host.name === "seed" ? null : seed),
  });
  return { log, driver, store: (host: string) => [...storeOf(host)].map((p) => p.slice(44)) };
}

describe("a site with a seed", () => {
  it("gets what its hosts share once; each system is complete on its host", async () => {
    const { driver, log, store } = site();
    const staged = await Promise.all(
      [peer, other].map((host) => driver.stage(host, activation(host), { signal })),
    );
    expect(log.filter((l) => l.includes("gets")).sort()).toEqual([
      "seed gets base system-peer",
      "seed gets system-other",
    ]);
    expect(staged.map((s) => s.seed)).toEqual(["seed", "seed"]);
    expect(store("peer")).toEqual(["base", "system-peer"]);
    expect(store("other")).toEqual(["base", "system-other"]);
  });

  it("copies to the seed itself as to any host", async () => {
    const { driver, log } = site();
    expect(await driver.stage(seed, activation(seed), { signal })).not.toHaveProperty("seed");
    expect(log).toEqual(["seed gets base system-seed"]);
  });

  it("copies directly where a host cannot reach its seed, and asks it no more", async () => {
    const { driver, log } = site({ "peer borrow": 45 });
    await driver.stage(peer, activation(peer), { signal });
    await driver.stage(peer, { ...activation(peer), to: path("system-peer2") }, { signal });
    expect(log).toEqual([
      "seed gets base system-peer",
      "seed lends",
      "peer borrows",
      "peer gets base system-peer",
      "peer gets system-peer2",
    ]);
  });

  it("copies directly to all once the seed cannot hand on", async () => {
    const { driver, log } = site({ "seed lend": 47 });
    await driver.stage(peer, activation(peer), { signal });
    await driver.stage(other, activation(other), { signal });
    expect(log).toEqual([
      "seed gets base system-peer",
      "seed lends",
      "peer gets base system-peer",
      "other gets base system-other",
    ]);
  });

  it("stops a host whose seed sends something else than what was built", async () => {
    const { driver, log } = site({ "peer borrow": 51 });
    await expect(driver.stage(peer, activation(peer), { signal })).rejects.toMatchObject({
      code: "copy-alien",
      transient: false,
    });
    expect(log).not.toContain("peer gets base system-peer");
  });
});
