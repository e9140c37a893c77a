import { expect, test } from "vitest";
import { checkTypes } from "../../src/health/checks.ts";
import { CHECK_TYPES } from "../../src/inventory/rules/e9-checks.ts";

test("the inventory knows exactly the kinds of checks there are", () => {
  expect([...CHECK_TYPES].sort()).toEqual([...checkTypes].sort());
});
