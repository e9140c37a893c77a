import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spread } from "./spread.ts";

const GIB = 1024 ** 3;

describe("spread", () => {
  it.each([
    ["a laptop", 24, { cpus: 8, availableBytes: 5 * GIB }, { jobs: 1, chunkSize: 4 }],
    ["a workstation", 200, { cpus: 8, availableBytes: 48 * GIB }, { jobs: 8, chunkSize: 5 }],
    ["a small runner", 200, { cpus: 2, availableBytes: 2 * GIB }, { jobs: 1, chunkSize: 1 }],
    ["two cores with much memory", 5000, { cpus: 2, availableBytes: 40 * GIB }, { jobs: 2, chunkSize: 16 }],
  ])("%s", (_, hosts, room, expected) => expect(spread(hosts, room)).toMatchObject(expected));

  it("stays within memory and processors", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 512 }),
        (hosts, cpus, gib) => {
          const { jobs, chunkSize, heapBytes } = spread(hosts, { cpus, availableBytes: gib * GIB });
          expect(jobs * heapBytes).toBeLessThanOrEqual(gib * GIB * 0.6);
          expect(jobs).toBeLessThanOrEqual(cpus);
          expect(Number.isInteger(jobs) && Number.isInteger(chunkSize) && chunkSize >= 1).toBe(true);
        },
      ),
    );
  });

  it("never takes longer with more processors or more memory", () => {
    const rounds = (hosts: number, room: Parameters<typeof spread>[1]) => {
      const { jobs, chunkSize } = spread(hosts, room);
      return Math.ceil(hosts / (jobs * chunkSize));
    };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 2, max: 256 }), (hosts, gib) => {
        const room = { cpus: 4, availableBytes: gib * GIB };
        expect(rounds(hosts, { ...room, availableBytes: 2 * room.availableBytes })).toBeLessThanOrEqual(
          rounds(hosts, room),
        );
      }),
    );
  });
});
