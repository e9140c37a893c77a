import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closureOf, describeSystem, systemOfPath, toplevelPath } from "./closure.ts";
import { createImportReader, exportStream } from "./export-stream.ts";
import { nameOfPath, storeHash } from "./paths.ts";

const closure = closureOf(describeSystem("node-01", "r2", "bad-health"));
const whole = Buffer.concat([...exportStream(closure)]);

describe("an export stream", () => {
  it("is read back as it was written, however it is cut into pieces", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 50 }),
        (sizes) => {
          const reader = createImportReader();
          const read = [];
          for (let at = 0, i = 0; at < whole.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            read.push(...reader.push(whole.subarray(at, at + Math.max(size, 20_000))));
            at += Math.max(size, 20_000);
          }
          expect(reader.ended).toBe(true);
          expect(read).toEqual(closure);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("yields every path that is complete when it breaks off", () => {
    const reader = createImportReader();
    const two = Buffer.concat([...exportStream(closure.slice(0, 3))]);
    expect(reader.push(two.subarray(0, two.length - 100)).map((e) => e.path)).toEqual(
      closure.slice(0, 2).map((e) => e.path),
    );
    expect(reader.ended).toBe(false);
  });

  it("is refused when it is something else", () => {
    expect(() => createImportReader().push(Buffer.from("<html>not found</html>"))).toThrow(/--export/);
  });

  it("has references before what refers to them", () => {
    const seen = new Set<string>();
    for (const entry of closure) {
      expect(entry.refs.filter((ref) => !seen.has(ref))).toEqual([]);
      seen.add(entry.path);
    }
  });
});

describe("a lab system's path", () => {
  it("tells host, revision and behaviour, and nothing else does", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}[a-z0-9]$/);
    fc.assert(
      fc.property(name, name, (host, revision) => {
        const system = describeSystem(host, revision, "needs-reboot");
        expect(systemOfPath(toplevelPath(system))).toEqual(system);
        expect(systemOfPath(`/nix/store/${storeHash("x")}-nixos-system-${host}-${revision}`)).toBeNull();
      }),
    );
  });

  it("is a store path", () => {
    for (const { path } of closure)
      expect(path).toMatch(/^\/nix\/store\/[0-9a-df-np-sv-z]{32}-[0-9A-Za-z+._?=-]+$/);
    expect(nameOfPath(toplevelPath(describeSystem("a", "b", "good")))).toBe("nixos-system-a-b");
  });
});
