/** The simulator and the host's scripts know the same operations and the same refusals: they cannot drift apart. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { scripts } from "../../src/host/scripts.ts";
import { OPERATIONS } from "../../src/lab/machine/operations/index.ts";
import { REFUSAL } from "../../src/lab/machine/operations/operation.ts";

it("has one operation for each script", () => {
  expect(Object.keys(OPERATIONS).sort()).toEqual(Object.keys(scripts).sort());
});

it("refuses with the same numbers", () => {
  const prelude = readFileSync(new URL("../../src/host/scripts/prelude.sh", import.meta.url), "utf8");
  const stated = [...prelude.matchAll(/\bR_([A-Z_]+)=([0-9]+)/g)].map(([, name = "", code]) => [
    name.toLowerCase().replaceAll("_", ""),
    Number(code),
  ]);
  const ours = Object.entries(REFUSAL).map(([name, code]) => [name.toLowerCase(), code]);
  expect(stated.length).toBeGreaterThan(5);
  expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(stated));
});
