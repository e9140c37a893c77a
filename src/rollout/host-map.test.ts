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

test("a section is its own values in order, and what a part recalls is what its values say now", () => {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const lists = fc.uniqueArray(fc.array(fc.nat(), { maxLength: 60 }), { maxLength: 4 });
  fc.assert(
    fc.property(lists, fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 }), (sections, changes) => {
      const named = sections.map((list, s) => list.map((value, i) => [`${s}/${i}`, value] as const));
      let map = HostMap.of(...named);
      const model = new Map(named.flat());
      for (const [at, value] of changes) {
        const name = [...model.keys()][at % Math.max(1, model.size)];
        if (name === undefined) continue;
        map = map.with(name, value);
        model.set(name, value);
        for (const [s, list] of named.entries()) {
          const expected = list.map(([n]) => model.get(n));
          expect(map.parts(s).flatMap((part) => part.values)).toEqual(expected);
          expect(sum(map.parts(s).map((part) => part.recall(sum)))).toBe(sum(expected as number[]));
        }
      }
      expect([...map]).toEqual([...model]);
      expect(map.parts(sections.length)).toEqual([]);
    }),
  );
});

test("nobody is in it twice", () => {
  expect(() => HostMap.of([["a", 1]], [["a", 2]])).toThrow(RangeError);
});

test("a host that is not in it cannot be changed", () => {
  expect(() => HostMap.of([["a", 1]]).with("b", 2)).toThrow(RangeError);
});
