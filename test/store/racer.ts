/** Another controller, as a process of its own: `racer.ts PATH WORK NAME`. Says on stdout what the store acknowledged. */
import { writeSync } from "node:fs";
import { FleetError } from "../../src/errors.ts";
import { openSqlite } from "../../src/store/sqlite/open.ts";
import type { Store } from "../../src/store/store.ts";
import { log, T0 } from "../contract/store-bodies.ts";

const [path = "", work = "", name = ""] = process.argv.slice(2);

/** Straight to the pipe: what was said is said, even when the process is killed next. */
const say = (fact: unknown) => writeSync(1, `${JSON.stringify(fact)}\n`);

async function append(store: Store): Promise<boolean> {
  const expected = (await store.run("r-1"))?.lastSeq ?? 0;
  try {
    const [event] = await store.append("r-1", expected, [log(`${name} after ${expected}`)], { now: T0 });
    return say({ seq: event?.seq, name }) > 0;
  } catch (error) {
    if (error instanceof FleetError && error.code === "lease-lost") return false;
    throw error;
  }
}

await using store = await openSqlite(path);
if (work === "append") {
  for (let done = 0; done < 40; ) if (await append(store)) done += 1;
} else if (work === "append-for-ever") {
  for (;;) await append(store);
} else if (work === "lease") {
  // Time is an argument of the store: both processes walk through the same minutes, each lease expiring in between.
  for (let minute = 0; minute < 40; minute++) {
    const lease = await store.lease("run:r-1", name, 30_000, T0 + minute * 60_000);
    if (lease !== null) say({ minute, fence: lease.fence, name });
  }
}
