import fc from "fast-check";
import { expect, test } from "vitest";
import { HostMap } from "./host-map.ts";

const entries = fc.uniqueArray(fc.tuple(fc.string(), fc.nat()), {
  selector: ([name]) => name,
  maxLength: 200,
});

test("reads like a Map of the same entries, in the same order", () => {
  fc.assert(
    fc.property(entries, (list) => {
      const [map, model] = [HostMap.of(list), new Map(list)];
      expect([...map]).toEqual([...model]);
      expect([...map.keys()]).toEqual([...model.keys()]);
      expect([...map.values()]).toEqual([...model.values()]);
      expect(map.size).toBe(model.size);
      for (const [name, value] of model) expect(map.get(name)).toBe(value);
      expect(map.get("not in it \u0000")).toBeUndefined();
    }),
  );
});

test("a changed copy differs in that one place; the original stays as it was", () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.nat(), (list, at, value) => {
      fc.pre(list.length > 0);
      const [name = ""] = list[at % list.length] ?? [];
      const map = HostMap.of(list);
      void [...map.values()];
      const changed = map.with(name, value);
      expect([...changed]).toEqual([...new Map(list).set(name, value)]);
      expect([...map]).toEqual(list);
    }),
  );
});

test("a host that is not in it cannot be changed", () => {
  expect(() => HostMap.of([["a", 1]]).with("b", 2)).toThrow(RangeError);
});
