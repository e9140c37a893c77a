import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dockerLabDown, dockerLabUp } from "../../src/lab/docker/backend.ts";
import { LAB_LABEL } from "../../src/lab/docker/container.ts";
import { dockerLabPowerCycle, dockerLabRelease, dockerLabStatus } from "../../src/lab/docker/control.ts";
import { dockerCli, type Engine } from "../../src/lab/docker/engine.ts";
import { releaseNames } from "../../src/lab/docker/lab-flake.ts";
import { type ContainerHost, type LabFixture, onContainers, signal, startLabFixture } from "./fixture.ts";

const labelled = async (id?: string) => {
  const filter = ["--filter", `label=${LAB_LABEL}${id === undefined ? "" : `=${id}`}`, "--quiet"];
  const list = async (...args: readonly string[]) =>
    (await dockerCli.run([...args, ...filter], { signal })).split("\n").filter(Boolean);
  return [...(await list("ps", "--all")), ...(await list("network", "ls"))];
};

/** Copies a system to a host over a real ssh session, as the product does. */
async function copy(lab: LabFixture, host: ContainerHost, toplevel: string): Promise<void> {
  const paths = (await lab.source.requisites(toplevel, { signal })).map(({ path }) => path);
  await host.ssh(
    "exec $(command -v sudo || echo doas) nix-store --import",
    lab.source.export(paths, { signal }),
  );
}

/** switch-to-configuration in a unit of its own, with its exit status and messages. */
async function activate(host: ContainerHost, toplevel: string, action = "test") {
  const run = `systemd-run --quiet --wait --collect -p StandardOutput=file:/tmp/out -p StandardError=inherit`;
  const said = await host.exec(
    `${run} ${toplevel}/bin/switch-to-configuration ${action}; echo $?; cat /tmp/out`,
  );
  const [code = "", ...lines] = said.split("\n");
  return { code: Number(code), said: lines.join("\n") };
}

onContainers("docker lab", () => {
  describe("that is up", () => {
    let lab: LabFixture;
    let node: ContainerHost;
    let r1: string;
    const current = () => node.exec("readlink /run/current-system");
    const make = async (name: string, fault = {}) => {
      const { toplevel } = await node.makeClosure({ name, fault });
      await copy(lab, node, toplevel);
      return toplevel;
    };
    beforeAll(async () => {
      lab = await startLabFixture(3);
      node = lab.host("node-01");
      r1 = await current();
    });
    afterAll(() => lab?.[Symbol.asyncDispose]());

    it("runs release r1 on every host, reached with the recorded key, root within reach", async () => {
      for (const report of await dockerLabStatus(lab.dir, { signal })) {
        expect(report).toMatchObject({ power: "on", faults: [] });
        expect(report.current).toMatch(/-nixos-system-node-\d\d-26\.05\.lab-r1$/);
        expect([report.profile, report.bootDefault]).toEqual([report.current, report.current]);
        const host = lab.host(report.name);
        const become = { root: "", deploy: "sudo -n ", admin: "doas -n " }[report.user];
        const seen = await host.ssh(
          `${become}id -u; readlink /run/booted-system; hostname; systemctl is-system-running --wait`,
        );
        expect(seen.split("\n")).toEqual(["0", report.current, report.name, "running"]);
      }
    });

    it("answers switch-to-configuration like NixOS", async () => {
      const good = await make("good");
      expect(await activate(node, good)).toMatchObject({
        code: 0,
        said: expect.stringContaining("macula-node.service"),
      });
      expect(await current()).toBe(good);
      expect(await node.exec("curl -s localhost:8080/version")).toBe("good");
      expect(await node.exec("cat /boot/lab-default")).toBe(r1);
      expect(await activate(node, good, "bogus")).toMatchObject({ code: 1 });
      const inhibited = await make("inhibited", { inhibited: true });
      expect(await activate(node, inhibited)).toMatchObject({
        code: 1,
        said: expect.stringContaining("switchInhibitors"),
      });
      const broken = await make("broken", { activateExit: 1 });
      expect(await activate(node, broken)).toMatchObject({ code: 2 });
      const unhealthy = await make("unhealthy", { unitFails: true });
      expect(await activate(node, unhealthy)).toMatchObject({
        code: 4,
        said: expect.stringContaining("warning: the following units failed: macula-node.service"),
      });
      expect(await node.exec("systemctl is-failed macula-node || true")).toBe("failed");
      const newInit = await make("new-init", { initChanges: true });
      expect(await activate(node, newInit)).toMatchObject({ code: 100 });
      expect(await current()).toBe(unhealthy);
      expect(await activate(node, r1)).toMatchObject({ code: 0 });
      expect(await node.exec("systemctl is-system-running --wait")).toBe("running");
    });

    it("makes a system the boot default only when it is a generation of the profile", async () => {
      const next = await make("next");
      expect(await activate(node, next, "boot")).toMatchObject({ code: 0 });
      expect(await node.exec("cat /boot/lab-default")).toBe(r1);
      await node.exec(`nix-env -p /nix/var/nix/profiles/system --set ${next}`);
      expect(await activate(node, next, "boot")).toMatchObject({ code: 0 });
      expect(await node.exec("cat /boot/lab-default")).toBe(next);
      await node.powerCycle();
      expect(await node.exec("readlink /run/booted-system /run/current-system")).toBe(`${next}\n${next}`);
      await node.exec(`nix-env -p /nix/var/nix/profiles/system --set ${r1}`);
      await activate(node, r1, "boot");
      await activate(node, r1);
    });

    it("loses what was only tested in a power cut", async () => {
      const tested = await make("tested");
      await activate(node, tested);
      expect(await current()).toBe(tested);
      const bootId = await node.exec("cat /proc/sys/kernel/random/boot_id");
      await node.powerCycle();
      expect(await current()).toBe(r1);
      expect(await node.exec("cat /proc/sys/kernel/random/boot_id")).not.toBe(bootId);
    });

    it("falls back to the default entry when a one-shot entry panics", async () => {
      const panics = await make("panics", { noBoot: true });
      await node.exec(`echo ${panics} > /boot/lab-oneshot`);
      await dockerLabPowerCycle(lab.dir, "node-01", { signal });
      const booted = () =>
        node.exec("systemctl is-active ssh.service && readlink /run/booted-system").catch(() => "");
      await expect.poll(booted, { timeout: 30_000 }).toContain(r1);
      const log = await dockerCli.run(["logs", "--tail", "50", node.container.container], { signal });
      expect(log).toContain("Kernel panic - not syncing: this release cannot boot");
    });

    it("cuts the session of whoever activates a release that stops sshd, and completes all the same", async () => {
      const cutting = await make("cutting", { killSshd: true });
      const unit = `systemd-run --quiet --collect --unit=cut ${cutting}/bin/switch-to-configuration test; sleep 20`;
      await expect(node.ssh(unit)).rejects.toMatchObject({ exitCode: 255 });
      await expect.poll(current, { timeout: 20_000 }).toBe(cutting);
      await expect.poll(() => node.ssh("echo back").catch(() => ""), { timeout: 20_000 }).toBe("back");
      await activate(node, r1);
    });

    it("is cut off by a release without network until it activates another", async () => {
      const offline = await make("offline", { dropNetwork: true });
      await activate(node, offline);
      await expect(node.ssh("true")).rejects.toMatchObject({ exitCode: 255 });
      await activate(node, r1);
      expect(await node.ssh("echo back")).toBe("back");
    });

    describe("with faults", () => {
      const fault = (kind: string) => lab.fault("node-01", kind);
      const cured = async () => {
        expect(await lab.fault("node-01", "none")).toEqual([]);
        expect(await node.ssh("echo cured")).toBe("cured");
      };

      it("unreachable, hang: nobody gets in", async () => {
        for (const kind of ["unreachable", "hang"]) {
          expect(await fault(kind)).toEqual([kind]);
          await expect(node.ssh("true")).rejects.toMatchObject({ exitCode: 255 });
          await cured();
        }
      });

      it("wrong-host-key: refused as changed, also after a restart", async () => {
        await fault("wrong-host-key");
        await node.powerCycle();
        const said = await node.ssh("true").catch((error: unknown) => String(error));
        expect(said).toContain("Host key for");
        await cured();
      });

      it("disk-full: nothing fits into the store", async () => {
        const { toplevel } = await node.makeClosure({ name: "too-much" });
        await fault("disk-full");
        expect(Number((await node.exec("df -Pk /nix/store | tail -n 1")).split(/ +/)[3])).toBeLessThan(64);
        const said = await copy(lab, node, toplevel).catch((error: unknown) => String(error));
        expect(said).toContain("No space left on device");
        await cured();
        await copy(lab, node, toplevel);
      });

      it("slow: every command passes through the brake", async () => {
        expect(await node.ssh("echo $SSH_ORIGINAL_COMMAND.")).toBe(".");
        await fault("slow");
        expect(await node.ssh("echo $SSH_ORIGINAL_COMMAND.")).toContain("echo");
        await cured();
      });

      it("bad-health, drop-on-activate: the next system suffers, the old one does not", async () => {
        const next = await make("next-one");
        await fault("bad-health");
        expect(await activate(node, next)).toMatchObject({ code: 4 });
        expect(await activate(node, r1)).toMatchObject({ code: 0 });
        await lab.fault("node-01", "none");
        await fault("drop-on-activate");
        await activate(node, next);
        await expect(node.ssh("true")).rejects.toMatchObject({ exitCode: 255 });
        await activate(node, r1);
        await cured();
      });

      it("says which hosts and faults there are", async () => {
        await expect(fault("unreachabel")).rejects.toMatchObject({
          code: "usage",
          message: expect.stringContaining("unreachable"),
        });
        await expect(lab.fault("node-1", "hang")).rejects.toMatchObject({
          message: expect.stringContaining("node-01"),
        });
      });
    });

    it("refuses a second lab in its directory and a release name that git cannot hold", async () => {
      const again = dockerLabUp({ dir: lab.dir, hosts: 1, signal });
      await expect(again).rejects.toMatchObject({
        code: "lab-failed",
        hint: expect.stringContaining("lab down"),
      });
      await expect(dockerLabRelease(lab.dir, "-x", { signal })).rejects.toMatchObject({ code: "usage" });
    });

    it("limits a release's behaviour to the hosts named", async () => {
      await dockerLabRelease(lab.dir, "partly", { signal, behaviour: "bad-health", hosts: ["node-02"] });
      expect((await releaseNames(join(lab.dir, "flake"), signal)).at(-1)).toBe("partly");
      const revision = await lab.source.revision("partly", { signal });
      const systems = await lab.source.build(lab.inventory.hosts, revision, { signal });
      const other = lab.host("node-02");
      for (const host of [node, other]) await copy(lab, host, systems.get(host.host.name)?.toplevel ?? "");
      expect(await activate(node, systems.get("node-01")?.toplevel ?? "")).toMatchObject({ code: 0 });
      expect(await activate(other, systems.get("node-02")?.toplevel ?? "")).toMatchObject({ code: 4 });
    });
  });

  describe("that comes and goes", () => {
    let root: string;
    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), "mf-labs-"));
    });
    afterAll(() => rm(root, { recursive: true, force: true }));

    it("removes exactly what it made", async () => {
      const dirs = [join(root, "a"), join(root, "b")] as const;
      const [a, b] = [
        await dockerLabUp({ dir: dirs[0], hosts: 2, signal }),
        await dockerLabUp({ dir: dirs[1], hosts: 1, signal }),
      ];
      expect(await labelled(a.id)).toHaveLength(3);
      expect(await dockerLabDown(dirs[0], { signal })).toBe(true);
      expect(await labelled(a.id)).toEqual([]);
      expect(existsSync(dirs[0])).toBe(false);
      expect(await labelled(b.id)).toHaveLength(2);
      expect(await dockerLabDown(dirs[1], { signal })).toBe(true);
      expect(await labelled(b.id)).toEqual([]);
      expect(await dockerLabDown(dirs[1], { signal })).toBe(false);
    });

    it("goes on where it was after it was put down with keep", async () => {
      const dir = join(root, "kept");
      await dockerLabUp({ dir, hosts: 1, signal });
      const report = async () => (await dockerLabStatus(dir, { signal }))[0];
      const before = await report();
      await dockerLabDown(dir, { signal, keep: true });
      expect(await report()).toMatchObject({ power: "off" });
      await dockerLabUp({ dir, hosts: 1, signal });
      expect(await report()).toEqual(before);
      expect(await dockerLabDown(dir, { signal })).toBe(true);
      expect(existsSync(dir)).toBe(false);
    });

    it("leaves nothing of a lab that did not come up", async () => {
      const dir = join(root, "broken");
      let id = "";
      const failing: Engine = {
        run(args, call) {
          id ||= /^macula-fleet\.lab=(.*)$/m.exec(args.join("\n"))?.[1] ?? "";
          if (args.includes("node-02")) return Promise.reject(new Error("the engine is out of luck"));
          return dockerCli.run(args, call);
        },
      };
      const up = dockerLabUp({ dir, hosts: 3, signal, engine: failing });
      await expect(up).rejects.toThrow("out of luck");
      expect(id).toMatch(/^[0-9a-f]{8}$/);
      expect(await labelled(id)).toEqual([]);
      expect(existsSync(dir)).toBe(false);
    });
  });
});
