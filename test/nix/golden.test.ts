/**
 * What each machine of the fixtures becomes, in full where a mistake would cost a machine. `golden/*.golden` (JSON) is read by
 * people in review; `npx vitest run test/nix -u` writes it anew.
 */
import { expect, it } from "vitest";
import { disks, type Machine, machines } from "./machine.ts";
import { describeNix, FIXTURES, fixture } from "./nix.ts";

const SHOWN = [
  "boot.kernelPackages",
  "boot.kernelParams",
  "boot.loader.",
  "environment.etc.",
  "fileSystems.",
  "hardware.firmware",
  "networking.",
  "nix.settings",
  "services.avahi.extraServiceFiles",
  "services.k3s.",
  "services.openssh.",
  "services.resolved.",
  "services.timesyncd.",
  "system.stateVersion",
  "systemd.network.",
  "systemd.services.macula-files",
  "systemd.services.macula-firewall-names",
  "time.timeZone",
  "users.",
];

function summary(machine: Machine, disk: unknown): Record<string, unknown> {
  const values = Object.entries(machine.values).filter(([path]) =>
    SHOWN.some((part) => path.startsWith(part)),
  );
  return { failed: machine.failed, secrets: machine.secrets, disk, values: Object.fromEntries(values) };
}

describeNix("the machines of", () => {
  it.each(FIXTURES)("%s", async (name) => {
    const layouts = disks(fixture(name));
    const all = Object.entries(machines(fixture(name))).map(([host, machine]) => [
      host,
      summary(machine, layouts[host]),
    ]);
    const text = `${JSON.stringify(Object.fromEntries(all), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot(`golden/${name}.golden`);
  });
});
