/** Contract §4 against a naive oracle in exact arithmetic. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Quantity } from "../../src/plan/policy.ts";
import {
  allowanceOf,
  floorOf,
  isZero,
  parseQuantity,
  describe as show,
  targetOf,
  toleranceOf,
} from "../../src/plan/quantity.ts";

/** p % of n, exactly, as whole hosts rounded down and up. */
function share(pct: number, n: number): { readonly down: number; readonly up: number } {
  const hundredths = BigInt(pct) * BigInt(n);
  const down = hundredths / 100n;
  return { down: Number(down), up: Number(hundredths % 100n === 0n ? down : down + 1n) };
}

const percent = fc.integer({ min: 0, max: 100 });
const hosts = fc.integer({ min: 1, max: 100_000 });
const pct = (p: number): Quantity => ({ kind: "percent", pct: p });
const count = (n: number): Quantity => ({ kind: "count", n });

describe("a percentage becomes whole hosts on the safe side", () => {
  test("canary and waves round up, at least one, never more than there are", () => {
    fc.assert(
      fc.property(percent, hosts, (p, n) => {
        expect(targetOf(pct(p), n)).toBe(Math.max(1, share(p, n).up));
        expect(targetOf(pct(p), n)).toBeLessThanOrEqual(n);
      }),
    );
  });

  test("parallel and unavailable round down, at least one unless literally none", () => {
    fc.assert(
      fc.property(percent, hosts, (p, n) => {
        expect(allowanceOf(pct(p), n)).toBe(p === 0 ? 0 : Math.max(1, share(p, n).down));
      }),
    );
  });

  test("tolerated failures round down and may be none", () => {
    fc.assert(
      fc.property(percent, hosts, (p, n) => {
        expect(toleranceOf(pct(p), n)).toBe(share(p, n).down);
      }),
    );
  });

  test("what must stay available rounds up", () => {
    fc.assert(
      fc.property(percent, hosts, (p, n) => {
        expect(floorOf(pct(p), n)).toBe(share(p, n).up);
      }),
    );
  });

  test("what may go and what must stay never promise the same host twice", () => {
    fc.assert(
      fc.property(percent, hosts, (p, n) => {
        expect(toleranceOf(pct(p), n) + floorOf(pct(100 - p), n)).toBe(n);
      }),
    );
  });

  test("a larger percentage or fleet never means fewer hosts", () => {
    fc.assert(
      fc.property(percent, percent, hosts, hosts, (p, q, n, m) => {
        for (const f of [targetOf, allowanceOf, toleranceOf, floorOf]) {
          expect(f(pct(Math.min(p, q)), Math.min(n, m))).toBeLessThanOrEqual(
            f(pct(Math.max(p, q)), Math.max(n, m)),
          );
        }
      }),
    );
  });

  test("numbers are taken as they are; a target never exceeds the fleet", () => {
    fc.assert(
      fc.property(fc.nat(1000), hosts, (k, n) => {
        expect([allowanceOf(count(k), n), toleranceOf(count(k), n), floorOf(count(k), n)]).toEqual([k, k, k]);
        expect(targetOf(count(k), n)).toBe(Math.min(n, Math.max(1, k)));
      }),
    );
  });

  test.each([
    ["canary 10 % of 7", targetOf(pct(10), 7), 1],
    ["29 % of 100 (28 in floating point)", allowanceOf(pct(29), 100), 29],
    ["57 % of 100 (56 in floating point)", toleranceOf(pct(57), 100), 57],
    ["failures 10 % of 7", toleranceOf(pct(10), 7), 0],
    ["unavailable 5 % of 7", allowanceOf(pct(5), 7), 1],
    ["bootstraps 51 % of 3", floorOf(pct(51), 3), 2],
  ])("%s", (_what, value, hostsOf) => expect(value).toBe(hostsOf));
});

describe("writing and reading", () => {
  const quantity = fc.oneof(percent.map(pct), fc.nat(100_000).map(count));

  test("what is shown can be read again", () => {
    fc.assert(
      fc.property(quantity, (q) => {
        expect(parseQuantity(show(q))).toEqual(q);
      }),
    );
  });

  test.each([" 3 ", "3", 3])("%j is three", (text) => {
    expect(parseQuantity(text)).toEqual(count(3));
  });

  test("nothing is nothing, written either way", () => {
    fc.assert(
      fc.property(quantity, (q) => {
        expect(isZero(q)).toBe(/^0( %)?$/.test(show(q)));
      }),
    );
    expect([pct(0), count(0)].map(isZero)).toEqual([true, true]);
  });

  test.each(["-1", "1.5", "110%", "10 %%", "ten", "", "%", "1e3", "0x10"])("%j is refused", (text) => {
    expect(parseQuantity(text)).toBeNull();
  });
});
