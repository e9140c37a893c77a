import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const SSHD = ["/usr/sbin/sshd", "/usr/bin/sshd", "/run/current-system/sw/bin/sshd"].find((path) =>
  existsSync(path),
);

/** Why real-sshd tests cannot run here; undefined when they can. */
export function sshdMissing(): string | undefined {
  return SSHD === undefined
    ? "no OpenSSH sshd on this machine (Debian: apt install openssh-server)"
    : undefined;
}

/** A directory with keys for one test file; removed on dispose. */
export interface Workspace extends AsyncDisposable {
  readonly dir: string;
  /** Makes a key pair in the directory; returns the path of its private half. */
  key(name: string, options?: { readonly type?: string; readonly passphrase?: string }): string;
  /** `ssh-ed25519 AAAA…` of a key made before, without its comment. */
  publicKey(name: string): Promise<string>;
}

export async function createWorkspace(): Promise<Workspace> {
  const dir = await mkdtemp(join(tmpdir(), "fleet-sshd-"));
  return {
    dir,
    key(name, { type = "ed25519", passphrase = "" } = {}) {
      const path = join(dir, name);
      execFileSync("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-C", name, "-f", path]);
      return path;
    },
    async publicKey(name) {
      const [type, blob] = (await readFile(join(dir, `${name}.pub`), "utf8")).split(" ");
      return `${type} ${blob?.trim()}`;
    },
    async [Symbol.asyncDispose]() {
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export interface SshdOptions {
  /** Private host keys; see {@link Workspace.key}. */
  readonly hostKeys: readonly string[];
  /** Public keys that may log in. */
  readonly authorizedKeys: readonly string[];
  /** Further sshd_config lines. */
  readonly config?: readonly string[];
  readonly port?: number;
}

export interface Sshd extends AsyncDisposable {
  readonly port: number;
  /** The user this sshd lets in: whoever runs the tests. */
  readonly user: string;
  /** What it logged so far (level VERBOSE). */
  log(): string;
  /** Kills the listener and every connection at once, as a power cut does. */
  kill(): Promise<void>;
}

/** A real OpenSSH server on loopback, as the user of the tests, with its own keys and directory. */
export async function startSshd(workspace: Workspace, options: SshdOptions): Promise<Sshd> {
  if (SSHD === undefined) throw new Error(sshdMissing());
  // sshd run by root insists on its privilege separation directory.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const port = options.port ?? (await freePort());
  const own = await mkdtemp(join(workspace.dir, "sshd-"));
  const authorized = join(own, "authorized_keys");
  await writeFile(authorized, `${options.authorizedKeys.join("\n")}\n`, { mode: 0o600 });
  const config = join(own, "sshd_config");
  await writeFile(
    config,
    [
      // First, because sshd takes the first value it meets.
      ...(options.config ?? []),
      `ListenAddress 127.0.0.1:${port}`,
      ...options.hostKeys.map((key) => `HostKey ${key}`),
      `AuthorizedKeysFile ${authorized}`,
      "PidFile none",
      "StrictModes no",
      "UsePAM no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin yes",
      "MaxStartups 100",
      "LogLevel VERBOSE",
      // A login shell started by sshd reads ~/.bashrc, which can do anything, also hang after a kill.
      `SetEnv HOME=${own}`,
      "",
    ].join("\n"),
  );
  const child = spawn(SSHD, ["-D", "-e", "-f", config], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  await listening(child, () => log);
  return {
    port,
    user: userInfo().username,
    log: () => log,
    kill: () => killTree(child),
    [Symbol.asyncDispose]: () => killTree(child),
  };
}

async function listening(child: ChildProcess, log: () => string): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (log().includes("Server listening")) return;
    if (child.exitCode !== null) break;
    await sleep(20);
  }
  child.kill("SIGKILL");
  throw new Error(`sshd did not start:\n${log()}`);
}

/** Connections are served by children in sessions of their own: a process group would miss them. */
async function killTree(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  const family = descendants(child.pid);
  child.kill("SIGKILL");
  for (const pid of family) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }
  await exited;
}

function descendants(root: number): readonly number[] {
  const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number));
  const found: number[] = [];
  for (let level = [root]; level.length > 0; ) {
    const next = pairs.filter(([, parent]) => level.includes(parent ?? -1)).map(([pid]) => pid ?? -1);
    found.push(...next);
    level = next;
  }
  return found;
}

/** A TCP port on loopback nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
