import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { FleetError } from "../../src/errors.ts";
import type { Inventory } from "../../src/inventory/model.ts";
import { matchHosts, type SelectLookups, selectHosts } from "../../src/inventory/select.ts";
import { inventoryOf } from "./fleet.ts";

const FLEET = `
sites: {gent: {}, lyon: {}, empty: {}}
clusters: {core: {perHost: true}}
groups: {lab: {vars: {tags: [test], labels: {ring: outer, canary: true}}}, west: {children: [lab]}}
hosts:
  boot-1: {address: 10.0.0.1, site: gent, role: bootstrap}
  gw-gent: {address: 10.0.0.2, site: gent, roles: [gateway]}
  gw-lyon: {address: 10.0.0.3, site: lyon, roles: [gateway, bootstrap]}
  "node-[01:06]": {address: "10.0.0.11+", site: gent}
  "store-[1:12]": {address: "10.0.0.21+", site: lyon, arch: aarch64-linux, k3s: {cluster: core, role: server}}
  "rack-[1:3]": {address: "10.0.0.41+", groups: [lab], state: maintenance}
`;

let fleet: Inventory;
beforeAll(async () => {
  fleet = await inventoryOf(FLEET);
});

const STATES: Readonly<Record<string, readonly string[]>> = {
  "node-02": ["failed"],
  "node-05": ["deferred", "outdated"],
};
const FILES: Readonly<Record<string, string>> = {
  "retry.txt": "node-01\n# a comment\nnode-03  # and another\n\nrole=gateway:&site=lyon\n",
  "loop.txt": "@loop.txt",
  "empty.txt": "# nothing\n",
};
const lookups: SelectLookups = {
  hostStates: (name) => STATES[name] ?? [],
  readFile: (path) => {
    const text = FILES[path];
    if (text === undefined) throw new FleetError("limit-syntax", `cannot read ${path}`);
    return text;
  },
};
const pick = (pattern: string) => selectHosts(fleet, pattern, lookups).map(({ name }) => name);
const nodes = (...numbers: number[]) => numbers.map((n) => `node-0${n}`);
const stores = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `store-${from + i}`);

describe("terms", () => {
  test.each<[string, readonly string[]]>([
    ["node-03", nodes(3)],
    ["node-03,node-01", nodes(1, 3)],
    ["node-03:node-01", nodes(1, 3)],
    ["node-03 node-01", nodes(1, 3)],
    ["node-0*", nodes(1, 2, 3, 4, 5, 6)],
    ["node-0?:!node-0[24]", nodes(1, 3, 5, 6)],
    ["node-0[!1-4]", nodes(5, 6)],
    ["node-[02:04]", nodes(2, 3, 4)],
    ["~node-0(1|2)$", nodes(1, 2)],
    ["~(node-01|gw-.*)", ["gw-gent", "gw-lyon", "node-01"]],
    ["role=gateway", ["gw-gent", "gw-lyon"]],
    ["role:gateway", ["gw-gent", "gw-lyon"]],
    ["role=bootstrap", ["boot-1", "gw-lyon"]],
    ["gateway", ["gw-gent", "gw-lyon"]],
    ["site=gent:&role=peer", nodes(1, 2, 3, 4, 5, 6)],
    ["site:gent:&role:peer", nodes(1, 2, 3, 4, 5, 6)],
    ["site:gent & role:peer & !node-06", nodes(1, 2, 3, 4, 5)],
    ["site:gent:&!role:peer", ["boot-1", "gw-gent"]],
    ["&site=gent,&role=gateway", ["gw-gent"]],
    ["!site=gent:!site=lyon", ["rack-1", "rack-2", "rack-3"]],
    ["lab", ["rack-1", "rack-2", "rack-3"]],
    ["group=west", ["rack-1", "rack-2", "rack-3"]],
    ["tag=test", ["rack-1", "rack-2", "rack-3"]],
    ["tag:test", ["rack-1", "rack-2", "rack-3"]],
    ["label.ring=outer", ["rack-1", "rack-2", "rack-3"]],
    ["label.ring", ["rack-1", "rack-2", "rack-3"]],
    ["label:canary=true", ["rack-1", "rack-2", "rack-3"]],
    ["state=maintenance", ["rack-1", "rack-2", "rack-3"]],
    ["state=failed", nodes(2)],
    ["state=failed,state=deferred", nodes(2, 5)],
    ["cluster=core:&arch=aarch64-linux:!store-[3:12]", stores(1, 2)],
    ["lab[0]", ["rack-1"]],
    ["lab[-1]", ["rack-3"]],
    ["lab[0:1]", ["rack-1", "rack-2"]],
    ["lab[1:]", ["rack-2", "rack-3"]],
    ["site=lyon[-2:-1]", stores(11, 12)],
    ["store-*[0:2]", stores(1, 3)],
    ["site=g*", ["boot-1", "gw-gent", ...nodes(1, 2, 3, 4, 5, 6)]],
    ["@retry.txt", ["gw-lyon"]],
    ["@retry.txt:!gw-lyon,node-01", nodes(1)],
    ["all:!tag=absent:!role=peer", ["boot-1", "gw-gent", "gw-lyon"]],
  ])("%s", (pattern, names) => {
    expect(pick(pattern)).toEqual(names);
  });
});

describe("refusals", () => {
  test.each([
    ["nod-01", "limit-no-match", 'Did you mean "node-01"?'],
    ["node-01,nod-02", "limit-no-match", 'Did you mean "node-02"?'],
    ["all:!nod-02", "limit-no-match", 'Did you mean "node-02"?'],
    ["site=gnt", "limit-no-match", 'Did you mean "gent"?'],
    ["role=gatway", "limit-no-match", 'Did you mean "gateway"?'],
    ["state=broken", "limit-no-match", "failed"],
    ["site=empty", "limit-no-match", "inventory list"],
    ["node-9*", "limit-no-match", "inventory list"],
    ["all:!all", "limit-no-match", "inventory list"],
    ["@empty.txt", "limit-no-match", "inventory list"],
    ["", "limit-syntax", "Examples"],
    [" , ", "limit-syntax", "Examples"],
    ["!", "limit-syntax", "Examples"],
    ["a:&&b", "limit-syntax", "Examples"],
    ["~(", "limit-syntax", "Examples"],
    ["@", "limit-syntax", "Examples"],
    ["role=", "limit-syntax", "Examples"],
    ["colour=red", "limit-syntax", "Examples"],
    ["@loop.txt", "limit-syntax", undefined],
  ])("%j: %s", (pattern, code, hint) => {
    try {
      pick(pattern);
    } catch (error) {
      if (!(error instanceof FleetError)) throw error;
      expect(error.code).toBe(code);
      expect(error.exit).toBe(64);
      if (hint !== undefined) expect(error.hint).toContain(hint);
      return;
    }
    expect.fail("did not throw");
  });

  test("matchHosts may find nobody", () => {
    expect(matchHosts(fleet, "tag=absent")).toEqual([]);
    expect(matchHosts(fleet, "site=empty")).toEqual([]);
  });
});

describe("properties", () => {
  const atom = fc.constantFrom(
    "node-01",
    "node-0*",
    "store-[3:9]",
    "lab",
    "gateway",
    "role=peer",
    "site=gent",
    "site:lyon",
    "tag=test",
    "~.*-1$",
    "lab[0:1]",
    "state=failed",
    "label.ring=outer",
    "gw-*",
    "all",
    "arch=aarch64-linux",
    "rack-?",
  );
  const operator = fc.constantFrom("", "&", "!");
  const terms = fc.array(
    fc.tuple(operator, atom).map(([op, text]) => op + text),
    { minLength: 1, maxLength: 6 },
  );
  const set = (pattern: string) => new Set(matchHosts(fleet, pattern, lookups).map(({ name }) => name));
  const joined = (list: readonly string[]) => list.join(",");

  test("the order of terms and the separators do not matter", () => {
    const shuffled = terms.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, fc.constantFrom(",", ":", " ", " , "), ([list, other], separator) => {
        expect(set(other.join(separator))).toEqual(set(joined(list)));
      }),
    );
  });

  test("unions add, & intersects, ! takes away", () => {
    fc.assert(
      fc.property(atom, atom, atom, (a, b, c) => {
        const [inA, inB, inC] = [set(a), set(b), set(c)];
        const expected = fleet.hosts
          .map(({ name }) => name)
          .filter((name) => (inA.has(name) || inB.has(name)) && !inC.has(name));
        expect([...set(`${a},${b},!${c}`)]).toEqual(expected);
        expect(set(`${a}:&${b}`)).toEqual(new Set([...inA].filter((name) => inB.has(name))));
      }),
    );
  });

  test("a term and its exclusion divide the fleet", () => {
    fc.assert(
      fc.property(atom, (a) => {
        const [yes, no] = [set(a), set(`all:!${a}`)];
        expect(yes.size + no.size).toBe(fleet.hosts.length);
        for (const name of yes) expect(no.has(name)).toBe(false);
      }),
    );
  });

  test("results are in inventory order, each host once", () => {
    fc.assert(
      fc.property(terms, (list) => {
        const order = new Map(fleet.hosts.map(({ name }, i) => [name, i]));
        const places = matchHosts(fleet, joined(list), lookups).map(({ name }) => order.get(name) ?? -1);
        expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
      }),
    );
  });

  test("any text is either a selection or a FleetError", () => {
    const text = fc.string({
      unit: fc.constantFrom(
        "a",
        "0",
        "1",
        "-",
        ":",
        ",",
        "&",
        "!",
        "~",
        "@",
        "*",
        "[",
        "]",
        "(",
        "=",
        ".",
        " ",
        "\\",
        "node",
        "lab",
      ),
    });
    fc.assert(
      fc.property(text, (pattern) => {
        try {
          expect(selectHosts(fleet, pattern, lookups).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(FleetError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
