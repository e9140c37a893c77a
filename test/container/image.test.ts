import type { StartedTestContainer } from "testcontainers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dockerCli } from "../../src/lab/docker/engine.ts";
import { ensureImage, imageTag, SUITES, type Suite } from "../../src/lab/docker/image.ts";
import { onContainers, signal } from "./fixture.ts";
import { inside as insideOf, Machine } from "./machine.ts";

const EXPECTED: Readonly<
  Record<Suite, { readonly nix: RegExp; readonly systemd: RegExp; readonly doas: boolean }>
> = {
  bookworm: { nix: /2\.8\./, systemd: /systemd 252/, doas: true },
  trixie: { nix: /2\.26\./, systemd: /systemd 257/, doas: true },
};

const docker = (...args: readonly string[]) => dockerCli.run(args, { signal });

onContainers("host images", () => {
  describe.each(SUITES)("%s", (suite) => {
    let machine: StartedTestContainer;
    const inside = (script: string): Promise<string> => insideOf(machine, script);
    const booted = () =>
      inside("until systemctl is-active --quiet ssh.service 2> /dev/null; do sleep 0.1; done");

    beforeAll(async () => {
      machine = await new Machine(await ensureImage(suite, { signal })).start();
    });
    afterAll(() => machine?.stop());

    it("is built once per recipe", async () => {
      const id = () => docker("images", "--quiet", "--no-trunc", tag);
      const tag = await imageTag(suite);
      const before = await id();
      expect(await ensureImage(suite, { signal })).toBe(tag);
      expect(await id()).toBe(before);
    });

    it("runs systemd as PID 1 with nothing failed", async () => {
      expect(await inside("cat /proc/1/comm")).toBe("systemd");
      expect(await inside("systemctl is-system-running --wait")).toBe("running");
      expect(await inside("systemctl --failed --no-legend --plain")).toBe("");
      expect(await inside("systemctl --version | head -n 1")).toMatch(EXPECTED[suite].systemd);
    });

    it("has the Nix it is there for, for every user", async () => {
      expect(await inside("nix --version")).toMatch(EXPECTED[suite].nix);
      for (const user of ["deploy", "admin"]) {
        expect(await inside(`su ${user} -c 'nix store ping 2>&1'`)).toContain("Store URL: daemon");
      }
    });

    it("has a user with sudo only and one with doas only", async () => {
      expect(await inside("su deploy -c 'sudo -n id -u'")).toBe("0");
      expect(await inside("su admin -c 'doas -n id -u'")).toBe("0");
      expect(await inside("su admin -c 'sudo -n true' 2>&1 || echo no")).toMatch(/no$/);
      expect(await inside("su deploy -c 'doas -n true' 2>&1 || echo no")).toMatch(/no$/);
    });

    it("gets a new boot id with every boot, and its journal follows", async () => {
      const bootId = () => inside("cat /proc/sys/kernel/random/boot_id");
      const first = await bootId();
      expect(await bootId()).toBe(first);
      await docker("kill", machine.getId());
      await docker("start", machine.getId());
      await booted();
      expect(await bootId()).not.toBe(first);
      expect(await inside("journalctl --boot --unit ssh.service --no-pager --output cat")).toContain(
        "listening",
      );
    });

    it("comes back from a reboot of its own", async () => {
      const started = () => docker("inspect", "--format", "{{.State.StartedAt}}", machine.getId());
      const before = await started();
      await inside("systemctl reboot 2> /dev/null").catch(() => "");
      await expect.poll(started, { timeout: 30_000 }).not.toBe(before);
      await booted();
    });
  });
});
