import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const part = (name: string) =>
  readFileSync(new URL(`../../src/host/scripts/${name}.sh`, import.meta.url), "utf8");
const system = (c: string) => `/nix/store/${c.repeat(32)}-nixos-system-node-01-26.05`;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mf-loader-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs functions of `loader.sh` with this test's directory for `/boot` and `/efi`. */
function run(line: string, files: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  const loader = part("loader").replaceAll(/(?<![A-Za-z])\/(boot|efi)\b/g, `${root}/$1`);
  const script = `${part("prelude")}\n${loader}\n${line}\n`;
  const { stdout, stderr } = spawnSync("sh", ["-s"], { input: script, encoding: "utf8" });
  return stdout.trim() || stderr.trim();
}

const entry = (c: string) =>
  `title NixOS\nversion Generation 42\nlinux /EFI/nixos/k.efi\noptions init=${system(c)}/init loglevel=4\n`;
const menuentry = (title: string, c: string) =>
  `menuentry "${title}" --class nixos --unrestricted {\nsearch --set=drive1 --fs-uuid 1\n` +
  `  linux ($drive1)//kernels/x-bzImage init=${system(c)}/init loglevel=4\n  initrd ($drive1)//kernels/x-initrd\n}\n`;
const grub =
  `set default=0\nset timeout=5\n${menuentry("NixOS", "a")}` +
  `submenu "NixOS - All configurations" --class submenu {\n${menuentry("NixOS - Configuration 2", "a")}` +
  `${menuentry("NixOS - Configuration 1", "b")}}\n` +
  `submenu "NixOS - Profile 'macula_fleet'" --class submenu {\n${menuentry("NixOS - Configuration 1", "c")}}\n`;

describe("boot loaders", () => {
  it.each([
    ["none", {}, "none", ""],
    ["the lab's", { "boot/lab-default": `${system("a")}\n` }, "lab", system("a")],
    [
      "systemd-boot",
      {
        "boot/loader/loader.conf": "timeout 5\ndefault nixos-generation-42.conf\neditor 0\n",
        "boot/loader/entries/nixos-generation-41.conf": entry("b"),
        "boot/loader/entries/nixos-generation-42.conf": entry("a"),
      },
      "systemd-boot",
      system("a"),
    ],
    [
      "systemd-boot at /efi",
      {
        "efi/loader/loader.conf": "default nixos-generation-42\n",
        "efi/loader/entries/nixos-generation-42.conf": entry("b"),
      },
      "systemd-boot",
      system("b"),
    ],
    [
      "systemd-boot with a pattern for its default",
      { "boot/loader/loader.conf": "default nixos-*\n", "boot/loader/entries/nixos-1.conf": entry("a") },
      "systemd-boot",
      "",
    ],
    ["GRUB", { "boot/grub/grub.cfg": grub }, "grub", system("a")],
    [
      "extlinux",
      {
        "boot/extlinux/extlinux.conf": `DEFAULT nixos-default\nLABEL nixos-default\n  APPEND init=${system("a")}/init\n`,
      },
      "extlinux",
      system("a"),
    ],
  ] as const)("%s: what it is and what it starts by default", (_, files, kind, system) => {
    expect(run('printf "%s %s" "$(loader)" "$(boot_default)"', files)).toBe(`${kind} ${system}`.trim());
  });

  it.each([
    ["a", "0"],
    ["b", "1>1"],
    ["c", "2>0"],
  ])("finds system %s in a GRUB menu", (c, place) => {
    expect(run(`grub_entry ${system(c)}`, { "boot/grub/grub.cfg": grub })).toBe(place);
  });

  it("does not promise a one-shot boot it cannot set", () => {
    expect(run("can_boot_once || echo no", {})).toBe("no");
    expect(run("can_boot_once || echo no", { "boot/extlinux/extlinux.conf": "x" })).toBe("no");
  });
});
