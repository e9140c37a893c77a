import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Session, Transport } from "../../src/transport/transport.ts";

/** What a transport must bring to be held to the contract. */
export interface ContractSubject {
  readonly transport: Transport;
  readonly target: Parameters<Transport["open"]>[0];
  /** Can it end a command that was given up? Otherwise it only stops waiting for it. */
  readonly endsCommands: boolean;
}

/** The promises every `Transport` keeps, whatever carries the commands. Call inside a `describe`. */
export function transportContract(start: () => Promise<ContractSubject & AsyncDisposable>): void {
  let subject: ContractSubject & AsyncDisposable;
  let session: Session;
  const never = new AbortController().signal;
  const run = (line: string, options: Partial<Parameters<Session["run"]>[1]> = {}, stdin?: CommandInput) =>
    session.run(
      { line, label: "test command", ...(stdin === undefined ? {} : { stdin }) },
      { signal: never, ...options },
    );

  beforeAll(async () => {
    subject = await start();
    session = await subject.transport.open(subject.target, { signal: never });
  });
  afterAll(async () => {
    await session?.[Symbol.asyncDispose]();
    await subject?.[Symbol.asyncDispose]();
  });

  describe("exit status", () => {
    test.for([0, 1, 3, 124, 255])("%i is a value", async (code) => {
      expect(await run(`exit ${code}`)).toEqual({ code, stdout: "", stderr: "" });
    });

    test("stdout and stderr are kept apart", async () => {
      expect(await run("echo out; echo err >&2; exit 7")).toEqual({
        code: 7,
        stdout: "out\n",
        stderr: "err\n",
      });
    });

    test("a signal is reported as such", async () => {
      expect(await run("kill -KILL $$")).toMatchObject({ code: null, signal: "SIGKILL" });
    });

    test("survives a command that closes its output before it exits", async () => {
      expect(await run("exec >&- 2>&-; sleep 0.3; exit 3")).toMatchObject({ code: 3 });
    });

    test("a command that does not exist is the shell's 127", async () => {
      expect(await run("no-such-command-here")).toMatchObject({ code: 127 });
    });
  });

  describe("raw stdout", () => {
    test("arrives byte for byte, one chunk after the other, and is not captured", async () => {
      const hash = createHash("sha256");
      let inside = 0;
      let most = 0;
      let size = 0;
      const take = async (chunk: Uint8Array) => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        hash.update(chunk);
        size += chunk.length;
        inside--;
      };
      const input = randomBytes(3_000_000);
      expect(await run("cat; echo done >&2", { onStdout: take }, input)).toEqual({
        code: 0,
        stdout: "",
        stderr: "done\n",
      });
      expect({ most, size, sha256: hash.digest("hex") }).toEqual({
        most: 1,
        size: input.length,
        sha256: createHash("sha256").update(input).digest("hex"),
      });
    });

    test("a taker that fails ends the command with its error", async () => {
      const take = () => Promise.reject(new Error("disk full"));
      await expect(run("echo x; sleep 20", { onStdout: take })).rejects.toThrow("disk full");
    });
  });

  describe("input", () => {
    test("nothing given means end of file, not waiting", async () => {
      expect(await run("cat")).toMatchObject({ code: 0, stdout: "" });
    });

    test("text arrives as UTF-8", async () => {
      expect(await run("cat", {}, "grüße 🚀\n")).toMatchObject({ stdout: "grüße 🚀\n" });
    });

    test("5 MB of binary arrive unchanged", async () => {
      const bytes = randomBytes(5 * 1024 * 1024);
      expect(await run("sha256sum", {}, bytes)).toMatchObject({ stdout: `${sha256(bytes)}  -\n` });
    });

    test("a stream is read no faster than the command takes it", async () => {
      const chunk = randomBytes(64 * 1024);
      const produced = { count: 0 };
      const seen = await run("sleep 0.5; exit 0", {}, endless(chunk, produced));
      expect(seen).toMatchObject({ code: 0 });
      expect(produced.count * chunk.length).toBeLessThan(64 * 1024 * 1024);
    });

    test("a stream's bytes arrive in order", async () => {
      const chunks = Array.from({ length: 50 }, () => randomBytes(40_000));
      const { stdout } = await run("sha256sum", {}, from(chunks));
      expect(stdout).toBe(`${sha256(Buffer.concat(chunks))}  -\n`);
    });

    test("a failing source fails the command", async () => {
      await expect(run("cat", {}, broken())).rejects.toThrow("source broke");
    });
  });

  describe("output", () => {
    test("3 MB come back complete", async () => {
      const { stdout } = await run("head -c 3000000 /dev/zero | tr '\\0' x");
      expect(stdout).toBe("x".repeat(3_000_000));
    });

    test("beyond the cap the middle is cut and marked", async () => {
      const { stdout } = await run("seq 1 100000", { maxOutput: 1000 });
      expect(stdout.startsWith("1\n2\n3\n")).toBe(true);
      expect(stdout.endsWith("99999\n100000\n")).toBe(true);
      expect(stdout).toMatch(/\[… 587895 bytes cut …\]/);
    });

    test("lines are handed out as they arrive, the last one too", async () => {
      const lines: string[] = [];
      const onLine = (line: string, stream: string) => lines.push(`${stream}:${line}`);
      await run("echo a; echo b; printf c", { onLine });
      await run("echo e >&2", { onLine });
      expect(lines).toEqual(["stdout:a", "stdout:b", "stdout:c", "stderr:e"]);
    });

    test("a listener that throws fails its command only", async () => {
      const onLine = () => {
        throw new Error("listener broke");
      };
      await expect(run("echo a; sleep 3", { onLine })).rejects.toThrow("listener broke");
      expect(await run("echo still here")).toMatchObject({ stdout: "still here\n" });
    });
  });

  test("20 commands run at the same time without mixing", async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => run(`cat; exit ${n}`, {}, `input ${n}`)),
    );
    expect(results.map(({ code, stdout }) => [code, stdout])).toEqual(
      Array.from({ length: 20 }, (_, n) => [n, `input ${n}`]),
    );
  });

  describe("stopping", () => {
    test("a deadline throws command-timeout, and ends the command where possible", async () => {
      const mark = `sleep 5.1${process.pid}1`;
      await expect(run(mark, { timeoutMs: 300 })).rejects.toMatchObject({ code: "command-timeout" });
      if (subject.endsCommands) await expect.poll(() => running(mark)).toBe(false);
    });

    test("an abort rejects with the signal's reason, and ends the command where possible", async () => {
      const mark = `sleep 5.2${process.pid}1`;
      const controller = new AbortController();
      const reason = new Error("enough");
      const result = run(mark, { signal: controller.signal });
      await expect.poll(() => running(mark)).toBe(true);
      controller.abort(reason);
      await expect(result).rejects.toBe(reason);
      if (subject.endsCommands) await expect.poll(() => running(mark)).toBe(false);
    });

    test("an abort before the start runs nothing", async () => {
      const reason = new Error("too late");
      await expect(run("echo no", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    });

    test("other commands go on", async () => {
      const other = run("sleep 0.5; echo fine");
      await expect(run("sleep 3", { timeoutMs: 100 })).rejects.toMatchObject({ code: "command-timeout" });
      expect(await other).toMatchObject({ code: 0, stdout: "fine\n" });
    });

    test("closing the session aborts what runs on it", async () => {
      const own = await subject.transport.open(subject.target, { signal: never });
      const result = own.run({ line: "sleep 30", label: "sleeper" }, { signal: never });
      const refused = expect(result).rejects.toMatchObject({ code: "connection-lost" });
      await own[Symbol.asyncDispose]();
      await refused;
      expect(own.closed).toBe(true);
    });

    test("opening with an aborted signal opens nothing", async () => {
      const reason = new Error("no");
      await expect(
        subject.transport.open(subject.target, { signal: AbortSignal.abort(reason) }),
      ).rejects.toBe(reason);
    });
  });

  /** Hosts of the contract run on this machine, so the process list is theirs. */
  async function running(mark: string): Promise<boolean> {
    const { stdout } = await run("ps -A -o args=");
    return stdout.split("\n").some((line) => line.trim() === mark);
  }
}

type CommandInput = NonNullable<Parameters<Session["run"]>[0]["stdin"]>;

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function* from(chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* chunks;
}

async function* endless(chunk: Uint8Array, produced: { count: number }): AsyncIterable<Uint8Array> {
  for (;;) {
    produced.count++;
    yield chunk;
  }
}

async function* broken(): AsyncIterable<Uint8Array> {
  yield Buffer.from("first");
  throw new Error("source broke");
}
