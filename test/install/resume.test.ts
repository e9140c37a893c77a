import { expect, it } from "vitest";
import { type Found, foundFrom, resumeAt } from "../../src/install/resume.ts";
import type { HostState } from "../../src/rollout/events.ts";
import { aDisk, INSTALLER, someFacts } from "./support.ts";

const old: Found = { is: "old-system" };
const bare: Found = { is: "installer", mounted: false, bootId: "b" };
const mounted: Found = { is: "installer", mounted: true, bootId: "b" };
const installed: Found = { is: "installed" };
const other: Found = { is: "other-system", runs: "nixos 26.05 /nix/store/later" };
const planned = { runs: "debian 12", current: "", bootId: "boot-1" };

it.each<[HostState | null, Found, HostState | null]>([
  [null, old, "kexec"],
  [null, bare, "kexec"],
  [null, null, null],
  [null, other, null],
  ["kexec", other, null],
  ["partitioning", other, null],
  ["installing", other, null],
  ["verifying", other, null],
  ["kexec", old, "kexec"],
  ["kexec", bare, "partitioning"],
  ["kexec", null, null],
  ["partitioning", old, "kexec"],
  ["partitioning", mounted, "partitioning"],
  ["partitioning", null, null],
  ["installing", mounted, "installing"],
  // Its installer has restarted: nothing is mounted, the disk was erased already.
  ["installing", bare, "partitioning"],
  ["installing", null, null],
  ["restarting", mounted, "restarting"],
  ["restarting", installed, "verifying"],
  ["restarting", null, "verifying"],
  ["verifying", installed, "verifying"],
  ["verifying", null, "verifying"],
  ["verifying", bare, "verifying"],
])("was %s, is now %o: goes on with %s", (reached, found, expected) => {
  expect(resumeAt(reached, found)).toBe(expected);
});

it("knows an installer and whether its disk is mounted", () => {
  expect(foundFrom(someFacts(), planned)).toEqual({ is: "old-system" });
  expect(foundFrom(someFacts({ os: INSTALLER }), planned)).toMatchObject({ is: "installer", mounted: false });
  const disks = [aDisk({ mounted: ["/mnt/boot", "/mnt"] })];
  expect(foundFrom(someFacts({ os: INSTALLER, disks }), planned)).toMatchObject({ mounted: true });
});

it("takes for the old system only what was there when its erasure was confirmed", () => {
  const nixos = { id: "nixos", version: "26.05", variant: "" };
  const later = someFacts({ os: nixos, current: "/nix/store/later", bootId: "boot-3" });
  expect(foundFrom(later, planned)).toEqual(other);
  const reinstalled = { runs: "nixos 26.05", current: "/nix/store/r3", bootId: "boot-1" };
  expect(foundFrom(later, reinstalled)).toEqual(other);
  // Back after a power cycle.
  const back = { os: nixos, current: "/nix/store/r3", bootId: "boot-2" };
  expect(foundFrom(someFacts(back), reinstalled)).toEqual({ is: "old-system" });
  expect(foundFrom(someFacts({ bootId: "boot-2" }), planned)).toEqual({ is: "old-system" });
});
