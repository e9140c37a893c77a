import { expect, it } from "vitest";
import { type Found, foundFrom, resumeAt } from "../../src/install/resume.ts";
import type { HostState } from "../../src/rollout/events.ts";
import { aDisk, INSTALLER, someFacts } from "./support.ts";

const old: Found = { is: "old-system" };
const bare: Found = { is: "installer", mounted: false, bootId: "b" };
const mounted: Found = { is: "installer", mounted: true, bootId: "b" };
const installed: Found = { is: "installed" };

it.each<[HostState | null, Found, HostState | null]>([
  [null, null, "kexec"],
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
  expect(foundFrom(someFacts())).toEqual({ is: "old-system" });
  expect(foundFrom(someFacts({ os: INSTALLER }))).toMatchObject({ is: "installer", mounted: false });
  const disks = [aDisk({ mounted: ["/mnt/boot", "/mnt"] })];
  expect(foundFrom(someFacts({ os: INSTALLER, disks }))).toMatchObject({ mounted: true });
});
