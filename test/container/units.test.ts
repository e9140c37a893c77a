/** Units of the MaculaOS modules, as evaluated, under a real systemd: what Nix alone cannot say of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { StartedTestContainer } from "testcontainers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ensureImage } from "../../src/lab/docker/image.ts";
import { type Machine as Evaluated, machine as evaluated } from "../nix/machine.ts";
import { FLAKE, fixture, temporaryFile } from "../nix/nix.ts";
import { onContainers, signal } from "./fixture.ts";
import { inside, Machine } from "./machine.ts";

type Settings = Readonly<Record<string, unknown>>;

/** Names that NixOS's options have and unit files have not. */
const UNIT = { description: "Description", before: "Before", after: "After" } as const;

/** A unit's text; programs are where the container has them. */
function unit(m: Evaluated, name: string, kind: "service" | "timer", change: Settings = {}): string {
  const of = (option: string): unknown => m.values[`systemd.${kind}s.${name}.${option}`];
  const section = (settings: Settings): string =>
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${[value].flat().join(" ")}\n`)
      .join("");
  const own = { ...(of(`${kind}Config`) as Settings), ...change };
  const head = section(Object.fromEntries(Object.entries(UNIT).map(([nix, key]) => [key, of(nix)])));
  const install = section({ WantedBy: of("wantedBy"), RequiredBy: of("requiredBy") });
  const text = `[Unit]\n${head}[${kind === "timer" ? "Timer" : "Service"}]\n${section(own)}[Install]\n${install}`;
  return text.replaceAll(/\/nix\/store\/[^/ ]+\/bin\//g, "/usr/local/bin/");
}

/** Holds the boot up until the machine looks at itself, as a slow network or cluster does. */
const SLOW = `[Service]
Type=oneshot
ExecStart=/bin/sh -c 'until systemctl show -p ActiveState --value macula-health.service | grep -qxE "active|activating"; do sleep 0.1; done; sleep 1'
[Install]
WantedBy=multi-user.target
`;

onContainers("units of the modules", () => {
  let machine: StartedTestContainer;
  const run = (script: string): Promise<string> => inside(machine, script);

  beforeAll(async () => {
    const extra = temporaryFile("extra.nix", "{ macula.watchdog.bootCounting = true; }");
    const m = evaluated(fixture("homelab"), "node-01", { extra });
    const script = readFileSync(join(FLAKE, "modules/health/macula-health.sh"), "utf8");
    const files = {
      "/usr/local/bin/macula-health": `#!/bin/sh\n${script}`,
      "/etc/macula/health.conf": "system\tsystem\ncommand\town\t[ ! -e /bad ] || exit 21\n",
      "/etc/systemd/system/macula-health.service": unit(m, "macula-health", "service"),
      "/etc/systemd/system/macula-health.timer": unit(m, "macula-health", "timer", { OnBootSec: "0" }),
      "/etc/systemd/system/macula-health-boot.service": unit(m, "macula-health-boot", "service"),
      "/etc/systemd/system/slow.service": SLOW,
    };
    machine = await new Machine(await ensureImage("trixie", { signal }))
      .withCopyContentToContainer(
        Object.entries(files).map(([target, content]) => ({ target, content, mode: 0o755 })),
      )
      .start();
    // The next boot is the one with these units.
    await run("systemctl enable --quiet macula-health.timer macula-health-boot.service slow.service");
    await machine.restart();
  });
  afterAll(() => machine?.stop());

  it("a machine that looks at itself while booting finishes its boot, and then finds it finished", async () => {
    expect(await run("timeout 60 systemctl is-system-running --wait")).toBe("running");
    await expect
      .poll(() => run("cat /run/macula-health/result.json").catch(() => ""), { timeout: 60_000 })
      .toContain('"verdict":"ok"');
    expect(await run("cat /run/macula-health/result.json")).toContain('"message":"running"');
  });

  it("a boot is complete when the machine is healthy, and is asked about once", async () => {
    await run("systemctl start boot-complete.target");
    expect(await run("systemctl is-active boot-complete.target macula-health-boot.service")).toBe(
      "active\nactive",
    );
  });

  it("a boot after which the machine stays unhealthy is not complete", async () => {
    await run("systemctl stop boot-complete.target macula-health-boot.service; touch /bad");
    // The same unit, with less patience.
    await run(
      "sed -i 's/--wait 240/--wait 1/' /etc/systemd/system/macula-health-boot.service && systemctl daemon-reload",
    );
    expect(await run("systemctl start boot-complete.target 2>&1 || echo refused")).toContain("refused");
    expect(await run("systemctl is-active boot-complete.target || true")).toBe("inactive");
  });
});
