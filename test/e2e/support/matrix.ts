/** The command matrix as it is met on the command line: what each word was answered in each state, and what came of it. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { parseDocument } from "yaml";
import { systemClock } from "../../../src/kernel/clock.ts";
import type { Plan } from "../../../src/plan/model.ts";
import { startRun } from "../../../src/rollout/begin.ts";
import { replay } from "../../../src/rollout/state.ts";
import { openStore } from "../../../src/store/open.ts";
import type { Ran, Started } from "../../support/cli-process.ts";
import { broken, type FleetLab } from "./lab.ts";

export const WORDS = ["pause", "resume", "promote", "promote --full", "abort", "retry", "undo"] as const;
export type Word = (typeof WORDS)[number];

interface Answer {
  readonly exit: number;
  readonly says: string;
}

/** Every state of the matrix, in the order of the documentation; filled by the runs that reach them. */
export class Matrix {
  readonly rows = new Map<string, Map<Word, Answer>>();

  constructor(states: readonly string[]) {
    for (const state of states) this.rows.set(state, new Map());
  }

  note(state: string, word: Word, answer: Answer): void {
    const row = this.rows.get(state);
    if (!row) throw new Error(`no row "${state}"`);
    const before = row.get(word);
    if (before) expect(answer, `${word} in ${state}, once more`).toEqual(before);
    row.set(word, answer);
  }

  /** `state` -> the exit status of each word, in the order of `WORDS`. */
  codes(): Record<string, string> {
    return Object.fromEntries(
      [...this.rows].map(([state, row]) => [state, WORDS.map((w) => row.get(w)?.exit ?? "?").join(" ")]),
    );
  }

  /** A table for people: words that are answered alike share a line. */
  text(): string {
    const lines = [...this.rows].flatMap(([state, row]) => {
      const alike = Map.groupBy(
        WORDS.flatMap((word) => {
          const answer = row.get(word);
          const says = answer?.says.replace(new RegExp(`\\b(to|cannot) ${word.split(" ")[0]}\\b`), "$1 WORD");
          return answer ? [{ word, exit: answer.exit, says: says ?? "" }] : [];
        }),
        ({ exit, says }) => `${exit} | ${says}`,
      );
      return [...alike].map(
        ([answer, words], i) =>
          `| ${i === 0 ? state : ""} | ${words.map((w) => w.word).join(", ")} | ${answer} |`,
      );
    });
    return ["| State | Word | Exit | Answer |", "|---|---|---|---|", ...lines].join("\n");
  }
}

/** One run of the lab on hosts of its own, steered by words from other processes. */
export class Steered {
  readonly lab: FleetLab;
  readonly matrix: Matrix;
  readonly id: string;

  constructor(lab: FleetLab, matrix: Matrix, id: string) {
    this.lab = lab;
    this.matrix = matrix;
    this.id = id;
  }

  #argv(word: Word): string[] {
    const [verb = "", ...flags] = word.split(" ");
    return ["rollout", verb, this.id, ...flags, ...(word === "undo" ? ["--yes"] : [])];
  }

  /** Words that must leave the run as it is, all at the same time. */
  async refuses(state: string, ...words: Word[]): Promise<void> {
    const before = await this.#course();
    await Promise.all(
      words.map(async (word) =>
        this.matrix.note(state, word, said(await this.lab.fleet(...this.#argv(word)), this.id)),
      ),
    );
    expect(await this.#course(), `${state}: ${words.join(", ")}`).toEqual(before);
  }

  /** A word to a run that another process drives: it is told, and obeys. */
  async tells(state: string, word: Word, then: RegExp): Promise<void> {
    const before = (await this.#course()).length;
    const ran = await this.lab.fleet(...this.#argv(word));
    expect(ran, `${word} in ${state}`).toMatchObject({ code: 0, stderr: expect.stringContaining("told ") });
    this.matrix.note(state, word, said(ran, this.id));
    await this.becomes(then, before);
  }

  /** A word to a run that nobody drives: it is carried out right there, until the run ends or stands still. */
  async does(state: string, word: Word, becomes: string): Promise<Ran> {
    const ran = await this.lab.fleet(...this.#argv(word));
    expect(ran.code, `${word} in ${state}: ${ran.stdout}${ran.stderr}`).toBeLessThan(6);
    const now = await this.state();
    expect(now, `${word} in ${state}: ${ran.stdout}${ran.stderr}`).toBe(becomes);
    const undone = ran.stderr.includes("nothing to undo")
      ? "nothing was changed"
      : "another rollout puts back what it changed";
    const says = `carried out here, then ${now}${word === "undo" ? `; ${undone}` : ""}`;
    this.matrix.note(state, word, { exit: ran.code, says });
    return ran;
  }

  /** The same of a process that goes on for long. */
  begins(word: Word): Started {
    return this.lab.begin([...this.#argv(word), "-o", "ndjson"]);
  }

  /** Waits for the run's course to say so, after its first `from` steps. */
  async becomes(pattern: RegExp, from = 0): Promise<void> {
    for (;;) {
      const steps = await this.#course();
      if (steps.slice(from).some((step) => pattern.test(step))) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Waits until so many of its hosts run the new system and are not believed yet. */
  async flying(n: number): Promise<void> {
    for (;;) {
      const hosts = [...(replay(await this.events())?.hosts.values() ?? [])];
      if (hosts.filter((h) => h.state === "confirming").length >= n) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async state(): Promise<string> {
    const state = replay(await this.events());
    if (!state) throw new Error(`no journal of ${this.id}`);
    return state.reason === null ? state.status : `${state.status} (${state.reason})`;
  }

  /** Nothing in its journal breaks a promise. */
  async sound(): Promise<void> {
    expect(broken(await this.events())).toBeNull();
  }

  events() {
    return this.lab.events(this.id);
  }

  /** What became of the run as a whole, without its hosts. */
  async #course(): Promise<string[]> {
    return (await this.events()).flatMap((e) => {
      if (e.type === "rollout.state") return [`${e.data.to}${e.data.reason ? ` (${e.data.reason})` : ""}`];
      if (e.type === "rollout.command") return [e.data.command];
      return e.type.startsWith("wave.") ? [`${e.type} ${e.wave}`] : [];
    });
  }
}

/** A run that is journalled and that nobody drives yet, as a controller leaves it that died at once. */
export async function journalled(lab: FleetLab, hosts: string, ...flags: string[]): Promise<string> {
  const { stdout } = await lab.must("plan", "-o", "json", "-l", hosts, ...flags);
  const plan = JSON.parse(stdout) as Plan;
  await using store = await openStore(join(lab.dir, "lab", "state", "state.db"), {
    env: {},
    fleet: "simulated-lab",
  });
  const id = `r-${randomBytes(4).toString("hex")}`;
  await startRun(store, { ...plan, id }, { operator: "somebody", clock: systemClock });
  return id;
}

/** A store whose controllers outrank those of the lab's own. */
export async function outranking(lab: FleetLab): Promise<string> {
  const path = join(lab.dir, "other.db");
  await using store = await openStore(path, { env: {}, fleet: "simulated-lab" });
  for (let i = 0; i < 1000; i++) {
    const lease = await store.lease(`earlier-${i}`, "somebody", 1, Date.now());
    if (lease) await store.release(lease);
  }
  return path;
}

/** The lab's inventory with a maintenance window that is half a day away. */
export async function withWindow(lab: FleetLab): Promise<string> {
  const path = join(lab.dir, "lab", "with-window.yaml");
  const document = parseDocument(await readFile(lab.inventory, "utf8"));
  const start = new Date(Date.now() + 12 * 3600_000).toISOString().slice(11, 16);
  document.setIn(["rollout", "windows"], [{ start, length: "60m", tz: "UTC" }]);
  await writeFile(path, document.toString({ lineWidth: 0 }));
  return path;
}

/** What one word was answered, without what differs from run to run. */
function said({ code, stdout, stderr }: Ran, id: string): Answer {
  const [first = ""] = (stderr.trim() || stdout.trim()).split("\n");
  const says = first
    .replace(/^error: /, "")
    .replace(/ +\[[a-z-]+\]$/, "")
    .replaceAll(id, "ID")
    .replace(/\S+@\S+:\d+/, "OWNER")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replace(/; see it with: .*$/, "");
  return { exit: code, says };
}
