import { describe, expect, it } from "vitest";
import { FleetError } from "../errors.ts";
import { buildSystems, evaluateSystems, type System } from "./build.ts";
import type { NixCommand } from "./commands.ts";
import type { NixResult, NixRunner } from "./runner.ts";

const signal = new AbortController().signal;
const path = (name: string) => `/nix/store/${"0".repeat(32)}-${name}`;
const ok = (stdout: string): NixResult => ({ code: 0, stdout, stderr: "" });
const bad = (stderr: string): NixResult => ({ code: 1, stdout: "", stderr });

/** Nix as a function; what it was asked is kept. */
function fakeNix(answer: (command: NixCommand) => NixResult) {
  const asked: NixCommand[] = [];
  const run: NixRunner = {
    run: async (command) => {
      asked.push(command);
      return answer(command);
    },
    stream: () => {
      throw new Error("nothing is streamed here");
    },
  };
  const spread = () => ({ jobs: 2, chunkSize: 4, heapBytes: 1024 });
  return { asked, options: { run, spread, nixOptions: [] } };
}

const hostsOf = ({ args }: NixCommand): readonly string[] =>
  [...(/\[ (.*) \]/.exec(args.at(-1) ?? "")?.[1] ?? "").matchAll(/"([^"]+)"/g)].map((m) => m[1] ?? "");

/** A flake whose `broken` hosts fail the whole evaluation, as in Nix, and that lacks `absent` ones. */
function flake(broken: readonly string[], absent: readonly string[] = []) {
  return fakeNix((command) => {
    const hosts = hostsOf(command);
    const first = hosts.find((host) => broken.includes(host));
    if (first !== undefined) return bad(`trace: ${"x\n".repeat(40)}error: undefined variable in ${first}`);
    const system = (host: string) =>
      absent.includes(host) ? null : { drv: path(`${host}.drv`), out: path(host) };
    return ok(JSON.stringify(Object.fromEntries(hosts.map((host) => [host, system(host)]))));
  });
}

const names = (n: number) => Array.from({ length: n }, (_, i) => `node-${i}`);
const failureOf = async (promise: Promise<unknown>): Promise<FleetError> => {
  const error = await promise.then(
    () => null,
    (e: unknown) => e,
  );
  if (error instanceof FleetError) return error;
  throw new Error(`not a FleetError: ${String(error)}`);
};

describe("evaluateSystems", () => {
  it("needs one process per chunk", async () => {
    const nix = flake([]);
    const systems = await evaluateSystems("f", names(10), nix.options, { signal });
    expect(nix.asked.map(hostsOf).map((hosts) => hosts.length)).toEqual([4, 4, 2]);
    expect([...systems.keys()]).toEqual(names(10));
    expect(systems.get("node-9")).toEqual({ drv: path("node-9.drv"), out: path("node-9") });
  });

  it("runs as many processes at once as it was told, and answers in the order asked", async () => {
    let now = 0;
    let most = 0;
    const nix = flake([]);
    const run: NixRunner = {
      ...nix.options.run,
      run: async (command, call) => {
        most = Math.max(most, ++now);
        // Later chunks answer first.
        await new Promise((done) => setTimeout(done, hostsOf(command).includes("node-0") ? 20 : 1));
        now--;
        return nix.options.run.run(command, call);
      },
    };
    const systems = await evaluateSystems("f", names(20), { ...nix.options, run }, { signal });
    expect([...systems.keys()]).toEqual(names(20));
    expect(most).toBe(2);
    expect(new Set(nix.asked.map(({ env }) => env?.GC_INITIAL_HEAP_SIZE))).toEqual(new Set(["1024"]));
  });

  it("names every bad host and why, with the end of its log", async () => {
    const nix = flake(["node-1", "node-6"], ["node-8"]);
    const error = await failureOf(evaluateSystems("f", names(10), nix.options, { signal }));
    expect(error.code).toBe("build-failed");
    expect(error.data).toEqual({ hosts: ["node-1", "node-6", "node-8"] });
    expect(error.message).toContain("error: undefined variable in node-6");
    expect(error.message).toContain("f has no nixosConfigurations.node-8");
    expect(error.message).not.toContain("trace:");
  });
});

it("says once what is wrong with every host", async () => {
  const nix = fakeNix(() => bad("error: the flake does not parse"));
  const error = await failureOf(evaluateSystems("f", names(5), nix.options, { signal }));
  expect(error.message.match(/does not parse/g)).toHaveLength(1);
  expect(error.data).toEqual({ hosts: names(5) });
});

describe("buildSystems", () => {
  const system = (name: string): System => ({ drv: path(`${name}.drv`), out: path(name) });

  it("builds each distinct system once", async () => {
    const nix = fakeNix(() => ok(""));
    const systems = new Map([
      ["a", system("same")],
      ["b", system("same")],
      ["c", system("other")],
    ]);
    await buildSystems(systems, nix.options, { signal });
    expect(nix.asked).toHaveLength(1);
    expect(nix.asked[0]?.args.filter((arg) => arg.endsWith(".drv"))).toEqual([
      path("same.drv"),
      path("other.drv"),
    ]);
  });

  it("names the hosts whose system is missing afterwards", async () => {
    const nix = fakeNix(({ args }) =>
      args.includes("--realise") ? bad("error: builder failed with exit code 1") : ok(`${path("b")}\n`),
    );
    const systems = new Map([
      ["a", system("a")],
      ["b1", system("b")],
      ["b2", system("b")],
    ]);
    const error = await failureOf(buildSystems(systems, nix.options, { signal }));
    expect(error.data).toEqual({ hosts: ["b1", "b2"] });
    expect(error.message).toBe("cannot build the system of b1, b2:\nerror: builder failed with exit code 1");
  });

  it("asks Nix nothing when there is nothing to build", async () => {
    const nix = fakeNix(() => bad("asked"));
    await buildSystems(new Map(), nix.options, { signal });
    expect(nix.asked).toEqual([]);
  });
});
