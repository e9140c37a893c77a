/** A site's seed on real hosts: systemd sockets, curl, `nix-store --export` between two Nix versions and two distributions. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSshDriver, type SshDriver } from "../../src/host/ssh-driver.ts";
import { targetOf } from "../../src/inventory/target.ts";
import type { ClosureSource } from "../../src/nix/closures.ts";
import { SessionPool } from "../../src/transport/pool.ts";
import { createSshTransport } from "../../src/transport/ssh.ts";
import { type ContainerHost, type LabFixture, onContainers, signal, startLabFixture } from "./fixture.ts";

onContainers("a seed", () => {
  let lab: LabFixture;
  let seed: ContainerHost;
  let peer: ContainerHost;
  let pool: SessionPool;

  beforeAll(async () => {
    lab = await startLabFixture(2);
    [seed, peer] = [lab.host("node-01"), lab.host("node-02")];
    pool = new SessionPool({ transport: createSshTransport({ env: {} }) });
  });
  afterAll(async () => {
    await pool?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  const driverWith = (closures: ClosureSource): SshDriver =>
    createSshDriver({
      pool,
      closures,
      targetOf: (host) => targetOf(host, lab.inventory),
      seedOf: (host) => (host.name === seed.host.name ? null : seed.host),
    });
  const stage = async (driver: SshDriver, host: ContainerHost, to: string) => {
    const { current } = await driver.observe(host.host, { signal });
    const activation = { rollout: "r-seed", attempt: 1, fence: 1, from: current, to, mode: "test" } as const;
    return driver.stage(host.host, { ...activation, confirmTimeoutMs: 60_000 }, { signal });
  };
  const complete = (host: ContainerHost, path: string) =>
    host.exec(`nix-store --query --requisites ${path} | xargs nix-store --verify-path`);

  it("takes a closure over the uplink, its neighbour takes it from there, whole and checked", async () => {
    const { toplevel } = await peer.makeClosure({ name: "s1" });
    const staged = await stage(driverWith(lab.source), peer, toplevel);
    expect(staged).toMatchObject({ seed: "node-01" });
    expect(staged.bytes).toBeGreaterThan(0);
    await complete(peer, toplevel);
    await complete(seed, toplevel);
    // What the uplink saw went to the seed; nothing was copied to the neighbour from here.
    const again = await stage(driverWith(lab.source), peer, toplevel);
    expect(again).toMatchObject({ bytes: 0, paths: 0 });
  });

  it("gives strangers nothing", async () => {
    const address = (
      await seed.exec("ip -4 route get 192.0.2.1 | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p'")
    ).trim();
    const status = (path: string, method = "GET") =>
      peer.exec(`curl -s -X ${method} -o /dev/null -w '%{http_code}' http://${address}:7418/${path}`);
    expect(await status("0".repeat(32))).toBe("404");
    expect(await status("..%2f..%2fetc%2fpasswd")).toBe("404");
    expect(await status("")).toBe("404");
    expect(await status("0", "POST")).toBe("405");
  });

  it("refuses other content under the same names, and keeps none of it", async () => {
    const { toplevel } = await peer.makeClosure({ name: "s2" });
    const lying: ClosureSource = {
      ...lab.source,
      requisites: async (path, o) =>
        (await lab.source.requisites(path, o)).map((p) =>
          p.path === toplevel ? { ...p, hash: `sha256:${"0".repeat(52)}` } : p,
        ),
    };
    await expect(stage(driverWith(lying), peer, toplevel)).rejects.toMatchObject({ code: "copy-alien" });
    await expect(peer.exec(`nix-store --check-validity ${toplevel}`)).rejects.toThrow();
  });

  it("costs time, nothing else, when it is away", async () => {
    const { toplevel } = await peer.makeClosure({ name: "s3" });
    await seed.exec(
      "systemctl stop macula-fleet-r-seed-lend.service; nc -l -k -p 7418 > /dev/null 2>&1 & echo",
    );
    const staged = await stage(driverWith(lab.source), peer, toplevel);
    expect(staged).not.toHaveProperty("seed");
    await complete(peer, toplevel);
  });

  it("stops listening when the run lets go of it", async () => {
    await driverWith(lab.source).release(
      seed.host,
      { rollout: "r-seed", attempt: 1, fence: 1, from: "", to: "", mode: "test", confirmTimeoutMs: 1 },
      { signal },
    );
    expect(await seed.exec("systemctl is-active macula-fleet-r-seed-lend.service || true")).not.toContain(
      "active\n",
    );
    await expect(seed.exec("ls /run/macula-fleet/r-seed-lent")).rejects.toThrow();
  });
});
