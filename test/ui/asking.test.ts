import { expect, test } from "vitest";
import type { Clock } from "../../src/kernel/clock.ts";
import { Asking } from "../../src/ui/asking.ts";
import { askingLine } from "../../src/ui/view/asking.ts";
import { textOf } from "../../src/ui/view/line.ts";

/** Time passes when told, one wait at a time. */
function handClock() {
  let now = 0;
  let wake: (() => void) | undefined;
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        wake = () => {
          now += ms;
          resolve();
        };
      }),
  };
  const next = async () => {
    wake?.();
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  return { clock, next };
}

function ask(isTTY: boolean) {
  const { clock, next } = handClock();
  const said: string[] = [];
  const err = { isTTY, columns: 60, write: (text: string) => said.push(text) > 0 };
  const asking = new Asking({ err, clock, color: false, total: 3 });
  const answers = new Map<string, () => void>();
  for (const host of ["node-01", "node-02", "node-03"])
    void asking.during(host, () => new Promise<void>((resolve) => answers.set(host, resolve)));
  const answer = async (host: string) => {
    answers.get(host)?.();
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  return { asking, said, answer, next };
}

test("a log: one line after two seconds, then less and less often, with those that are still silent", async () => {
  const { asking, said, answer, next } = ask(false);
  await answer("node-02");
  expect(said).toEqual([]);
  await next();
  expect(said).toEqual(["1 of 3 hosts answered; still asking node-01, node-03 for 2s\n"]);
  await answer("node-01");
  await next();
  expect(said.at(-1)).toBe("2 of 3 hosts answered; still asking node-03 for 6s\n");
  for (let i = 0; i < 4; i++) await next();
  expect(said.at(-1)).toBe("2 of 3 hosts answered; still asking node-03 for 1m30s\n");
  await answer("node-03");
  const lines = said.length;
  await next();
  expect(said).toHaveLength(lines);
  asking[Symbol.dispose]();
  expect(said).toHaveLength(lines);
});

test("a terminal: one line, rewritten within its width, gone at the end", async () => {
  const { asking, said, answer, next } = ask(true);
  await next();
  await answer("node-01");
  await next();
  expect(said).toEqual([
    "\r\u001b[2K0 of 3 hosts answered; still asking node-01, node-02, node…",
    "\r\u001b[2K1 of 3 hosts answered; still asking node-02, node-03 for 3s",
  ]);
  asking[Symbol.dispose]();
  expect(said.at(-1)).toBe("\r\u001b[2K");
});

test("nothing is said when everybody answers at once", async () => {
  const { asking, said, answer, next } = ask(true);
  for (const host of ["node-01", "node-02", "node-03"]) await answer(host);
  await next();
  asking[Symbol.dispose]();
  expect(said).toEqual([]);
});

test("a host that fails has answered", async () => {
  const { asking, said, next } = ask(false);
  await expect(asking.during("node-09", () => Promise.reject(new Error("refused")))).rejects.toThrow(
    "refused",
  );
  await next();
  expect(said.join("")).not.toContain("node-09");
  expect(said.join("")).toContain("1 of 3");
});

test("of many silent hosts the longest silent are named", () => {
  const open = Array.from({ length: 40 }, (_, i) => ({ name: `h-${i}`, since: i * 10 }));
  expect(textOf(askingLine({ total: 5000, answered: 4960, open, now: 12_000 }))).toBe(
    "4960 of 5000 hosts answered; still asking h-0, h-1, h-2, h-3, h-4 and 35 more for 12s",
  );
});
