/** Which hosts go first, case by case: what counts before what, and the reason that is shown. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Host } from "../../src/inventory/model.ts";
import { type CanaryOptions, type Candidate, pickCanaries } from "../../src/plan/canary.ts";
import { aHost, system } from "../support/fleet.ts";

type Dimension = CanaryOptions["spread"][number];
interface Traits {
  readonly role?: Host["role"];
  readonly site?: string | null;
  readonly arch?: Host["arch"];
  readonly board?: string;
  readonly boot?: Host["hardware"]["boot"];
  readonly version?: string | null;
  readonly canary?: "always" | "never";
}

const a = (name: string, t: Traits = {}): Candidate => ({
  host: aHost(name, t.role ?? "peer", {
    site: t.site === undefined ? "gent" : t.site,
    arch: t.arch ?? "x86_64-linux",
    hardware: {
      boot: t.boot ?? "uefi",
      consoles: [],
      ...(t.board === undefined ? {} : { board: t.board }),
    },
    rollout: { order: 0, ...(t.canary === undefined ? {} : { canary: t.canary }) },
  }),
  version: t.version === undefined ? system(name, "r1") : t.version,
});

/** By name unless said otherwise, so that a case can be read off its names. */
const pick = (
  candidates: readonly Candidate[],
  count: number,
  spread: readonly Dimension[],
  more: Partial<CanaryOptions> = {},
) =>
  pickCanaries(candidates, { count, spread, prefer: () => false, rank: (name) => name, ...more }).map(
    (c) => [c.host.name, c.why] as const,
  );
const names = (picks: readonly (readonly [string, string])[]) => picks.map(([name]) => name);

const ARM = "aarch64-linux";

describe("hosts that are alike", () => {
  test("go by rank alone, whatever their order", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 12 }), fc.nat(12), (ranks, count) => {
        const rank = (name: string) => String(ranks[Number(name.slice(2))]).padStart(2, "0");
        const hosts = ranks.map((_, i) => a(`h-${i}`));
        const byRank = hosts.map((c) => c.host.name).sort((x, y) => (rank(x) < rank(y) ? -1 : 1));
        expect(names(pick(hosts, count, ["role", "site"], { rank }))).toEqual(byRank.slice(0, count));
      }),
    );
  });

  test("and say that nothing else told them apart", () => {
    expect(pick([a("n"), a("m")], 2, ["site", "arch"])).toEqual([
      ["m", "canary: chosen by hash, all hosts are alike"],
      ["n", "canary: chosen by hash, all hosts are alike"],
    ]);
  });
});

describe("each kind of difference is worth a canary", () => {
  const cases: Readonly<Record<Dimension, readonly [Traits, Traits, string, string]>> = {
    role: [{ role: "peer" }, { role: "gateway" }, "role peer", "role gateway"],
    site: [{ site: "gent" }, { site: null }, "site gent", "site no site"],
    arch: [{}, { arch: ARM }, "arch x86_64-linux", "arch aarch64-linux"],
    hardware: [{ boot: "uefi" }, { board: "rpi4" }, "hardware uefi", "hardware rpi4"],
    version: [{ version: "/nix/store/x" }, { version: null }, "version /nix/store/x", "version unknown"],
  };

  test.each(Object.entries(cases))("%s", (dimension, [usual, rare, usually, rarely]) => {
    const hosts = [a("m", usual), a("n", usual), a("z", rare)];
    expect(pick(hosts, 3, [dimension as Dimension])).toEqual([
      ["m", `canary: ${usually}`],
      ["z", `canary: first of ${rarely}`],
      ["n", `canary: ${usually}`],
    ]);
  });

  test("hosts run the same version when their systems differ in the name of the host only", () => {
    const hosts = [a("m"), a("n"), a("z", { version: system("z", "r0") })];
    expect(pick(hosts, 2, ["version"])).toEqual([
      ["m", "canary: version r1"],
      ["z", "canary: first of version r0"],
    ]);
  });

  test("as many different values are tried as there is room for", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("uefi", "bios", "rpi"), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 12 }),
        (boots, count) => {
          const hosts = boots.map((boot, i) => a(`h-${String(i).padStart(2, "0")}`, { boot }));
          const boot = new Map(hosts.map((c) => [c.host.name, c.host.hardware.boot]));
          const tried = new Set(names(pick(hosts, count, ["hardware"])).map((name) => boot.get(name)));
          expect(tried.size).toBe(Math.min(count, new Set(boots).size));
        },
      ),
    );
  });
});

describe("what counts before what", () => {
  test("the operator's word, then the policy's, then everything else", () => {
    const hosts = [a("m"), a("n"), a("y"), a("z", { canary: "always" })];
    expect(pick(hosts, 3, ["site"], { prefer: (h) => h.name === "y" })).toEqual([
      ["z", "canary: labelled canary: always"],
      ["y", "canary: preferred by the policy"],
      ["m", "canary: chosen by hash, all hosts are alike"],
    ]);
  });

  test("a host that must not go first never does, preferred or not", () => {
    expect(
      names(pick([a("m", { canary: "never" }), a("n")], 2, [], { prefer: (h) => h.name === "m" })),
    ).toEqual(["n"]);
  });

  test("the commonest kind of host first: it says most", () => {
    const hosts = [a("m", { arch: ARM }), a("x"), a("y")];
    expect(names(pick(hosts, 1, ["arch"]))).toEqual(["x"]);
  });

  test("a kind of host not tried yet comes before a site not tried yet", () => {
    const hosts = [a("m"), a("n"), a("o", { site: "aalst" }), a("z", { arch: ARM })];
    expect(names(pick(hosts, 3, ["arch"]))).toEqual(["m", "z", "o"]);
  });

  test("sites are spread, asked for or not, because what breaks one breaks its neighbours", () => {
    const hosts = [a("m"), a("n"), a("o"), a("z", { site: "aalst" })];
    expect(pick(hosts, 2, [])).toEqual([
      ["m", "canary: chosen by hash, all hosts are alike"],
      ["z", "canary: chosen by hash, all hosts are alike"],
    ]);
  });

  test("of two kinds not tried yet the one that differs in more", () => {
    const hosts = [a("m", { board: "p" }), a("n", { board: "q" }), a("z", { arch: ARM, board: "q" })];
    expect(pick(hosts, 3, ["arch", "hardware"])).toEqual([
      ["m", "canary: arch x86_64-linux, hardware p"],
      ["z", "canary: first of arch aarch64-linux, hardware q"],
      ["n", "canary: arch x86_64-linux, hardware q"],
    ]);
  });

  test("only what is new about a host is its reason", () => {
    const hosts = [
      a("m", { board: "p" }),
      a("n", { board: "p" }),
      a("z", { arch: ARM, board: "p" }),
      a("zz", { board: "q" }),
    ];
    expect(pick(hosts, 2, ["arch", "hardware"])[1]).toEqual(["z", "canary: first of arch aarch64-linux"]);
  });
});
