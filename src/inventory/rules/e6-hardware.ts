import { error } from "../findings.ts";
import { summarizeNames } from "../ranges.ts";
import { allVars } from "./e1-names.ts";
import { byEntry, field, livingHosts, type Rule } from "./rule.ts";

/** E601: the Raspberry Pi boots no PC system. */
export const boardArch: Rule = function* (input) {
  const wrong = livingHosts(input.inventory).filter(
    ({ hardware, arch }) => hardware.boot === "rpi" && arch !== "aarch64-linux",
  );
  for (const hosts of byEntry(input, wrong)) {
    const { path, from } = field(input, hosts[0], "hardware", "boot");
    yield error(
      "E601",
      path,
      `rpi needs arch aarch64-linux (${summarizeNames(hosts.map(({ name }) => name))})`,
      {
        from,
        fix: "Set arch: aarch64-linux, or hardware.boot to uefi or bios.",
      },
    );
  }
};

/** E602: the installer comes up without Wi-Fi. "Wi-Fi only" is said by `dhcp: false` without a static address. */
export const wifiOnly: Rule = function* (input) {
  for (const host of livingHosts(input.inventory)) {
    const { wifi, dhcp, static: fixed } = host.network;
    if (host.os !== "k3os" || wifi.length === 0 || dhcp || fixed !== undefined) continue;
    const { path, from } = field(input, host, "network", "wifi");
    yield error(
      "E602",
      path,
      `${host.name} has Wi-Fi only and os: k3os: nixos-anywhere cannot install over Wi-Fi`,
      {
        from,
        fix: "Connect a cable for the conversion and state it (network.dhcp: true or network.static).",
      },
    );
  }
};

/** E607: k3OS kept backups on the disk they were of. */
export const backupPlace: Rule = function* (input) {
  const wrong = livingHosts(input.inventory).filter(
    ({ backup }) =>
      backup.enable === true && (backup.repository === undefined || backup.passwordRef === undefined),
  );
  for (const hosts of byEntry(input, wrong)) {
    const { path, from } = field(input, hosts[0], "backup", "enable");
    const names = summarizeNames(hosts.map(({ name }) => name));
    yield error("E607", path, `backup without a repository and its password (${names})`, {
      from,
      fix: 'Set backup.repository, such as "s3:https://s3.example.org/backup/{name}", and backup.passwordRef.',
    });
  }
};

/** E603, E606: statements that exclude each other in one place. */
export const exclusiveStatements: Rule = function* ({ document }) {
  for (const [path, { network, files }] of allVars(document)) {
    if (network?.dhcp === true && network.static !== undefined) {
      yield error(
        "E603",
        [...path, "network", "dhcp"],
        "dhcp: true and a static address exclude each other",
        {
          fix: "Keep one of them.",
        },
      );
    }
    for (const [i, { content, ref, path: file }] of (files ?? []).entries()) {
      if ((content === undefined) !== (ref === undefined)) continue;
      yield error("E606", [...path, "files", i], `${file} needs either content or ref`, {});
    }
  }
};
