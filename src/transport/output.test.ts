import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Capture } from "./output.ts";

/** Text together with places to cut its bytes at. */
const chunked = fc.tuple(
  fc.string({ unit: fc.constantFrom("a", "ü", "🚀", "\n"), maxLength: 60 }),
  fc.array(fc.nat({ max: 120 })),
);

function pieces(text: string, cuts: readonly number[]): readonly Uint8Array[] {
  const bytes = Buffer.from(text);
  const places = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => bytes.subarray(places[i] ?? 0, end));
}

describe("captured output", () => {
  test("is the text, however it was cut into chunks", () => {
    fc.assert(
      fc.property(chunked, ([text, cuts]) => {
        const capture = new Capture(10_000);
        for (const piece of pieces(text, cuts)) capture.push(piece);
        expect(capture.end()).toBe(text);
      }),
    );
  });

  test("comes as the text's lines, however it was cut", () => {
    fc.assert(
      fc.property(chunked, ([text, cuts]) => {
        const lines: string[] = [];
        const capture = new Capture(10_000, (line) => lines.push(line));
        for (const piece of pieces(text, cuts)) capture.push(piece);
        capture.end();
        const expected = text.split("\n");
        if (expected.at(-1) === "") expected.pop();
        expect(lines).toEqual(expected);
      }),
    );
  });

  test("beyond the cap keeps whole characters of the beginning and the end, and counts what is gone", () => {
    fc.assert(
      fc.property(chunked, fc.integer({ min: 2, max: 60 }), ([text, cuts], cap) => {
        const capture = new Capture(cap);
        for (const piece of pieces(text, cuts)) capture.push(piece);
        const kept = capture.end();
        const found = /^([\s\S]*)\n\[… (\d+) bytes cut …\]\n([\s\S]*)$/.exec(kept);
        if (found === null) {
          expect(kept).toBe(text);
          return;
        }
        const [, head = "", cut, tail = ""] = found;
        expect(text.startsWith(head) && text.endsWith(tail)).toBe(true);
        // At most a partial character is lost on either side of the cut.
        const gone = Buffer.byteLength(text) - Buffer.byteLength(head) - Buffer.byteLength(tail);
        expect(gone - Number(cut)).toBeGreaterThanOrEqual(0);
        expect(gone - Number(cut)).toBeLessThanOrEqual(6);
        expect(Buffer.byteLength(head) + Buffer.byteLength(tail)).toBeLessThanOrEqual(cap);
      }),
    );
  });

  test("hands out an endless line in pieces", () => {
    const lines: string[] = [];
    const capture = new Capture(100, (line) => lines.push(line));
    for (let i = 0; i < 5; i++) capture.push(Buffer.alloc(50_000, "x"));
    expect(lines.length).toBeGreaterThan(0);
    capture.end();
    expect(lines.join("")).toBe("x".repeat(250_000));
  });

  test("drops the carriage return of a line", () => {
    const lines: string[] = [];
    const capture = new Capture(100, (line) => lines.push(line));
    capture.push(Buffer.from("a\r\nb\r"));
    capture.end();
    expect(lines).toEqual(["a", "b"]);
  });
});
