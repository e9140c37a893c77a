import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync } from "node:fs";
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

export interface PostgresServer {
  /** A URL for `openStore`, with a schema of the caller's. */
  url(schema: string): string;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and removes everything. */
  dispose(): Promise<void>;
}

const run = promisify(execFile);

/** Where Debian, then everybody else, puts the server; undefined when there is none. */
function findBinaries(): string | undefined {
  const versioned = globSync("/usr/lib/postgresql/*/bin").sort().reverse();
  const path = (process.env.PATH ?? "").split(":").filter((entry) => entry !== "");
  return [...versioned, ...path].find(
    (bin) => existsSync(join(bin, "initdb")) && existsSync(join(bin, "postgres")),
  );
}

/** PostgreSQL refuses to be root; then it runs as one of the system's own users. */
function account(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const user = ["postgres", "nobody"]
    .map((name) => users.find((u) => u[0] === name))
    .find((u) => u !== undefined);
  return user === undefined ? undefined : { uid: Number(user[2]), gid: Number(user[3]) };
}

/** A throw-away server on a socket in a directory of its own; a string says why there is none. */
export async function startPostgres(): Promise<PostgresServer | string> {
  const bin = findBinaries();
  if (bin === undefined) return "PostgreSQL is not installed (Debian: postgresql)";
  const identity = account();
  if (identity === undefined && process.getuid?.() === 0) return "no user but root to run PostgreSQL as";
  const directory = await mkdtemp(join(tmpdir(), "fleet-pg-"));
  const data = join(directory, "data");
  await mkdir(data);
  if (identity !== undefined) {
    await chown(directory, identity.uid, identity.gid);
    await chown(data, identity.uid, identity.gid);
  }
  const as = {
    cwd: directory,
    env: { PATH: `${bin}:${dirname(process.execPath)}:/usr/bin:/bin`, LC_ALL: "C" },
    ...identity,
  };
  await run(
    join(bin, "initdb"),
    ["-D", data, "-U", "fleet", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"],
    as,
  );

  const start = async () => {
    // No fsync: what is tested is our transactions, not the disk.
    const args = ["-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off"];
    const child = spawn(join(bin, "postgres"), args, { ...as, stdio: ["ignore", "ignore", "pipe"] });
    const log = createInterface({ input: child.stderr });
    const ready = Promise.withResolvers<void>();
    const said: string[] = [];
    log.on("line", (line) => {
      said.push(line);
      if (line.includes("ready to accept connections")) ready.resolve();
    });
    child.once("exit", () => ready.reject(new Error(`PostgreSQL ended:\n${said.join("\n")}`)));
    await ready.promise;
    return child;
  };
  let server: Awaited<ReturnType<typeof start>> | undefined = await start();
  const stop = async () => {
    if (server === undefined) return;
    const gone = once(server, "exit");
    server.kill("SIGINT");
    await gone;
    server = undefined;
  };
  return {
    url: (schema) =>
      `postgres://fleet@localhost/postgres?host=${encodeURIComponent(directory)}&schema=${schema}`,
    stop,
    start: async () => {
      server = await start();
    },
    dispose: async () => {
      await stop();
      await rm(directory, { recursive: true });
    },
  };
}
