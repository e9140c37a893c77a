import { warning } from "../findings.ts";
import type { Rule } from "./rule.ts";

/** NixOS supports a release for seven months: 24.05 until 2024-12-31, 24.11 until 2025-06-30. */
function endOfLife(release: string): string {
  const [year = "00", month = "05"] = release.split(".");
  return month === "05" ? `20${year}-12-31` : `20${String(Number(year) + 1).padStart(2, "0")}-06-30`;
}

/** E801 */
export const oldRelease: Rule = function* ({ inventory, now }) {
  const { release } = inventory.fleet;
  const end = endOfLife(release);
  if (Date.parse(`${end}T23:59:59Z`) >= now) return;
  yield warning("E801", ["fleet", "release"], `release ${release} is end of life (${end})`, {
    fix: "Move the flake's nixpkgs and fleet.release to a supported release.",
  });
};
