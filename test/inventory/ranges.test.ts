import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countAddress, isAddress, isPrivateAddress } from "../../src/inventory/address.ts";
import { formatDuration, parseDuration } from "../../src/inventory/duration.ts";
import { expandName, isHostName, summarizeNames } from "../../src/inventory/ranges.ts";
import { didYouMean } from "../../src/inventory/similar.ts";

const members = (key: string) => {
  const expansion = expandName(key);
  if (expansion.kind !== "range") throw new Error(`${key} is ${expansion.kind}`);
  return expansion.members;
};

describe("ranges", () => {
  test.each([
    ["a-[1:3]", ["a-1", "a-2", "a-3"]],
    ["a-[08:11]", ["a-08", "a-09", "a-10", "a-11"]],
    ["a-[0:2]-x", ["a-0-x", "a-1-x", "a-2-x"]],
    ["r[1:2]n[1:2]", ["r1n1", "r1n2", "r2n1", "r2n2"]],
    ["a-[7:7]", ["a-7"]],
  ])("%s", (key, names) => {
    expect(members(key).map(({ name }) => name)).toEqual(names);
  });

  test("every member is named once, padded alike, numbered from 0", () => {
    const range = fc
      .record({
        from: fc.nat(900),
        size: fc.integer({ min: 1, max: 300 }),
        width: fc.integer({ min: 4, max: 6 }),
        padded: fc.boolean(),
      })
      .map(({ from, size, width, padded }) => ({
        from,
        size,
        width: padded ? width : 0,
        key: `h-[${String(from).padStart(padded ? width : 0, "0")}:${String(from + size - 1).padStart(padded ? width : 0, "0")}]`,
      }));
    fc.assert(
      fc.property(range, ({ key, from, size, width }) => {
        const all = members(key);
        expect(all).toHaveLength(size);
        expect(new Set(all.map(({ name }) => name)).size).toBe(size);
        all.forEach(({ name, n, index }, i) => {
          expect(index).toBe(i);
          expect(Number(n)).toBe(from + i);
          expect(n.length).toBeGreaterThanOrEqual(width);
          expect(name).toBe(`h-${n}`);
        });
      }),
    );
  });

  test("nothing makes it throw, and what it makes is bounded", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "-", "[", "]", ":", "0", "1", "9") }), (key) => {
        const expansion = expandName(key);
        if (expansion.kind === "single") expect(key).not.toMatch(/[[\]]/);
        if (expansion.kind === "range") expect(expansion.members.length).toBeLessThanOrEqual(5000);
      }),
    );
  });

  test("host names are RFC 1123 labels in lower case", () => {
    for (const good of ["a", "node-01", "a".repeat(63), "0a"]) expect(isHostName(good)).toBe(true);
    for (const bad of ["", "A", "a.b", "-a", "a-", "a_b", "a".repeat(64), "ä"])
      expect(isHostName(bad)).toBe(false);
  });

  test("names are summarized where they run on", () => {
    expect(summarizeNames(["a-01", "a-02", "a-03", "b", "c-1", "c-2"])).toBe("a-01…03, b, c-1, c-2");
    expect(summarizeNames(["a", "b", "c", "d", "e"])).toBe("a, b, c, d and 1 more");
    expect(summarizeNames([])).toBe("");
  });
});

describe("addresses", () => {
  test("count up within the last octet, never beyond", () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(400), (start, index) => {
        const counted = countAddress(`10.1.2.${start}+`, index);
        if (start + index <= 255)
          expect(counted).toEqual({ kind: "address", address: `10.1.2.${start + index}` });
        else expect(counted).toEqual({ kind: "overflow", last: "10.1.2.255", fits: 256 - start });
      }),
    );
  });

  test("IPv6 counts in its last group", () => {
    expect(countAddress("2001:db8::fe+", 3)).toEqual({ kind: "address", address: "2001:db8::101" });
    expect(countAddress("2001:db8::ffff+", 1)).toMatchObject({ kind: "overflow", fits: 1 });
  });

  test.each([
    ["10.0.0.1", true],
    ["256.0.0.1", false],
    ["1.2.3", false],
    ["2001:db8::1", true],
    ["fe80::1%eth0", true],
    ["1:2:3:4:5:6:7:8", true],
    ["1:2:3", false],
    ["1::2::3", false],
    ["::ffff:10.0.0.1", true],
    ["10.0.0.1:22", false],
    ["a.example", true],
    ["a..example", false],
    ["me@host", false],
  ])("%s is an address: %s", (text, expected) => expect(isAddress(text)).toBe(expected));

  test("private ones are known", () => {
    for (const address of [
      "10.1.1.1",
      "172.31.0.1",
      "192.168.0.1",
      "127.0.0.1",
      "169.254.1.1",
      "100.64.0.1",
      "fd00::1",
      "fe80::1",
      "::1",
    ]) {
      expect(isPrivateAddress(address), address).toBe(true);
    }
    for (const address of ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "fd.example"]) {
      expect(isPrivateAddress(address), address).toBe(false);
    }
  });
});

describe("durations", () => {
  test("formatting and parsing are inverse", () => {
    fc.assert(
      fc.property(fc.nat(10_000_000_000), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  test.each(["", "5", "1.5h", "-5m", "5 m", "5m1h", "1h1h", "5min", "h"])("%j is none", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

test("typos find their word, strangers do not", () => {
  expect(didYouMean("adress", ["address", "arch"])).toBe("address");
  expect(didYouMean("Roles", ["roles", "role"])).toBe("roles");
  expect(didYouMean("xyz", ["abc", "role"])).toBeUndefined();
});
