/** `node src/simulation/run.ts --seeds 100000 --from 1 [--workers 2] [--trace] [--broken NAME]`: many seeds, all cores. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { BROKEN } from "./broken.ts";
import { Counter, type Counts } from "./counts.ts";
import { simulate } from "./simulate.ts";

interface Share {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly broken?: string;
}

interface Report {
  readonly done: number;
  readonly ends: Readonly<Record<string, number>>;
  readonly events: number;
  readonly virtualMs: number;
  readonly counts: Counts;
  readonly failure?: { readonly seed: number; readonly violations: readonly string[] };
}

async function work(share: Share, report: (r: Report) => void): Promise<void> {
  const rules = share.broken === undefined ? undefined : BROKEN[share.broken];
  for (let seed = share.from; seed < share.to; seed += share.step) {
    const result = await simulate(seed, rules ? { rules } : {});
    const ends: Record<string, number> = {};
    for (const end of result.ends) ends[end] = (ends[end] ?? 0) + 1;
    const failure = result.violations.length > 0 ? { failure: { seed, violations: result.violations } } : {};
    report({
      done: 1,
      ends,
      events: result.events,
      virtualMs: result.virtualMs,
      counts: result.counts,
      ...failure,
    });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      workers: { type: "string", default: String(availableParallelism()) },
      trace: { type: "boolean", default: false },
      broken: { type: "string" },
      "keep-going": { type: "boolean", default: false },
    },
  });
  const from = Number(values.from);
  const seeds = Number(values.seeds);
  const broken = values.broken === undefined ? {} : { broken: values.broken };
  if (values.trace) {
    const rules = values.broken === undefined ? undefined : BROKEN[values.broken];
    const result = await simulate(from, { trace: (line) => console.log(line), ...(rules ? { rules } : {}) });
    console.log(JSON.stringify(result, null, 2));
    process.exitCode = result.violations.length > 0 ? 1 : 0;
    return;
  }
  const workers = Math.min(Number(values.workers), seeds);
  const started = performance.now();
  const happened = new Counter();
  const total = { done: 0, failed: 0, events: 0, virtualMs: 0, ends: {} as Record<string, number> };
  const show = () => {
    const seconds = (performance.now() - started) / 1000;
    const ends = Object.entries(total.ends)
      .sort(([, a], [, b]) => b - a)
      .map(([end, n]) => `${n} ${end}`);
    console.log(
      `${total.done}/${seeds} seeds, ${total.failed} violate; ${(total.done / seconds).toFixed(1)} seeds/s, ${seconds.toFixed(0)} s; ${total.events} events, ${Math.round(total.virtualMs / 86_400_000)} days of rollouts; ${ends.join(", ")}`,
    );
    console.log(`  among them ${happened.text}`);
  };
  const take = (r: Report) => {
    happened.take(r.counts);
    total.done += r.done;
    total.events += r.events;
    total.virtualMs += r.virtualMs;
    for (const [end, n] of Object.entries(r.ends)) total.ends[end] = (total.ends[end] ?? 0) + n;
    if (r.failure) {
      total.failed++;
      console.log(`seed ${r.failure.seed} violates:\n  ${r.failure.violations.join("\n  ")}`);
      const again = `node src/simulation/run.ts --trace --from ${r.failure.seed}${values.broken === undefined ? "" : ` --broken ${values.broken}`}`;
      console.log(`  again: ${again}`);
    }
    if (total.done % 5000 === 0) show();
  };
  await Promise.all(
    Array.from({ length: workers }, (_, i) => {
      const share: Share = { from: from + i, to: from + seeds, step: workers, ...broken };
      return new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: share });
        worker.on("message", (r: Report) => {
          take(r);
          if (r.failure && !values["keep-going"]) void worker.terminate();
        });
        worker.on("error", reject);
        worker.on("exit", () => resolve());
      });
    }),
  );
  show();
  process.exitCode = total.failed > 0 ? 1 : 0;
}

if (isMainThread) await main();
else await work(workerData as Share, (r) => parentPort?.postMessage(r));
