import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionPool } from "../../src/transport/pool.ts";
import { createSshTransport } from "../../src/transport/ssh.ts";
import type { Target } from "../../src/transport/transport.ts";
import {
  createWorkspace,
  freePort,
  type Sshd,
  sshdMissing,
  startSshd,
  type Workspace,
} from "../support/sshd.ts";
import { targetFor } from "../support/target.ts";
import { transportContract } from "./transport.ts";

const missing = sshdMissing();
// On CI the suite must run, and fails where sshd is missing: a skipped contract proves nothing.
const skip = missing !== undefined && process.env.CI === undefined;
if (skip) console.warn(`skipped: SSH transport against OpenSSH: ${missing}`);

describe.skipIf(skip)("SSH transport against OpenSSH", () => {
  const { signal } = new AbortController();
  let space: Workspace;
  let server: Sshd;
  let userKey: string;
  let target: Target;

  const transport = (env: Record<string, string> = {}) =>
    createSshTransport({
      env: { HOME: space.dir, USER: "tester", ...env },
      globalKnownHostsFile: join(space.dir, "no-global-file"),
    });
  const sshd = (options: Partial<Parameters<typeof startSshd>[1]> = {}) =>
    startSshd(space, { hostKeys: [join(space.dir, "host")], authorizedKeys: [], ...options });
  const open = (values: Partial<Target> = {}) => transport().open({ ...target, ...values }, { signal });
  const hello = { line: "echo hello", label: "hello" };
  const fingerprintOf = (name: string) =>
    execFileSync("ssh-keygen", ["-lf", join(space.dir, `${name}.pub`)], { encoding: "utf8" }).split(" ")[1] ??
    "?";
  const file = async (name: string, text: string) => {
    const path = join(space.dir, name);
    await writeFile(path, text);
    return path;
  };

  beforeAll(async () => {
    space = await createWorkspace();
    userKey = space.key("user");
    space.key("host");
    space.key("other");
    server = await sshd({ authorizedKeys: [await space.publicKey("user")] });
    target = targetFor({
      port: server.port,
      user: server.user,
      identityFile: userKey,
      hostKeys: [await space.publicKey("host")],
      knownHostsFile: join(space.dir, "no-such-known-hosts"),
    });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await space?.[Symbol.asyncDispose]();
  });

  transportContract(async () => ({
    transport: transport(),
    target,
    // sshd passes signals on only where it separates privileges: run by root, for another user.
    endsCommands: false,
    async [Symbol.asyncDispose]() {},
  }));

  test("reports the fingerprint the host proved", async () => {
    await using session = await open();
    expect(session.hostKeyFingerprint).toBe(fingerprintOf("host"));
  });

  test("30 sessions open at the same time under a limit of 8 handshakes", async () => {
    const limited = createSshTransport({ env: { HOME: space.dir }, connectLimit: 8 });
    const sessions = await Promise.all(Array.from({ length: 30 }, () => limited.open(target, { signal })));
    const results = await Promise.all(sessions.map((session) => session.run(hello, { signal })));
    await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()));
    expect(new Set(results.map((result) => result.stdout))).toEqual(new Set(["hello\n"]));
  });

  test("a host that allows one command at a time gets them one after the other", async () => {
    await using narrow = await sshd({
      authorizedKeys: [await space.publicKey("user")],
      config: ["MaxSessions 1"],
    });
    await using session = await open({ port: narrow.port });
    const results = await Promise.all([1, 2, 3].map(() => session.run(hello, { signal })));
    expect(results.map((result) => result.code)).toEqual([0, 0, 0]);
  });

  describe("host keys", () => {
    test("an unknown one is refused with its fingerprint and the exact line to add", async () => {
      const knownHostsFile = join(space.dir, "unknown");
      const error = await failure(open({ hostKeys: [], knownHostsFile }));
      expect(error).toMatchObject({ code: "host-key-unknown" });
      expect(error.message).toContain(fingerprintOf("host"));
      const fix = /run: (echo .* >> .*)$/.exec(error.hint ?? "")?.[1];
      execFileSync("sh", ["-c", fix ?? "exit 1"]);
      await using session = await open({ hostKeys: [], knownHostsFile });
      expect(await session.run(hello, { signal })).toMatchObject({ code: 0 });
    });

    test("a changed one is a hard stop that names the line and both keys", async () => {
      const line = `[127.0.0.1]:${server.port} ${await space.publicKey("other")}`;
      const knownHostsFile = await file("changed", `# comment\n${line}\n`);
      const error = await failure(open({ hostKeys: [], knownHostsFile, hostKeyPolicy: "accept-new" }));
      expect(error).toMatchObject({ code: "host-key-changed", data: { entry: `${knownHostsFile}:2` } });
      for (const part of [`${knownHostsFile}:2`, fingerprintOf("host"), fingerprintOf("other")]) {
        expect(error.message).toContain(part);
      }
      expect(await readFile(knownHostsFile, "utf8")).toBe(`# comment\n${line}\n`);
    });

    test("a pinned one wins over known_hosts, in both directions", async () => {
      const [good, bad] = [await space.publicKey("host"), await space.publicKey("other")];
      const wrongFile = await file("wrong", `[127.0.0.1]:${server.port} ${bad}\n`);
      const rightFile = await file("right", `[127.0.0.1]:${server.port} ${good}\n`);
      await (await open({ hostKeys: [good], knownHostsFile: wrongFile }))[Symbol.asyncDispose]();
      const error = await failure(open({ hostKeys: [bad], knownHostsFile: rightFile }));
      expect(error).toMatchObject({ code: "host-key-changed" });
      expect(error.message).toContain("pinned");
    });

    test("a revoked one is refused though it is also listed", async () => {
      const key = await space.publicKey("host");
      const knownHostsFile = await file("revoked", `[127.0.0.1]:${server.port} ${key}\n@revoked * ${key}\n`);
      const error = await failure(open({ hostKeys: [], knownHostsFile }));
      expect(error).toMatchObject({ code: "host-key-changed", data: { entry: `${knownHostsFile}:2` } });
    });

    test("a certificate authority is named as not supported", async () => {
      const knownHostsFile = await file("ca", `@cert-authority * ${await space.publicKey("other")}\n`);
      const error = await failure(open({ hostKeys: [], knownHostsFile, hostKeyPolicy: "accept-new" }));
      expect(error).toMatchObject({ code: "host-key-unknown" });
      expect(error.message).toContain("certificates are not supported");
    });

    test("hashed entries are found", async () => {
      const key = await space.publicKey("host");
      const knownHostsFile = await file("hashed", `[127.0.0.1]:${server.port} ${key}\n`);
      execFileSync("ssh-keygen", ["-q", "-H", "-f", knownHostsFile], { stdio: "ignore" });
      expect(await readFile(knownHostsFile, "utf8")).toMatch(/^\|1\|/);
      await (await open({ hostKeys: [], knownHostsFile }))[Symbol.asyncDispose]();
    });

    test("a host with several keys proves the one that is known", async () => {
      space.key("rsa", { type: "rsa" });
      space.key("ecdsa", { type: "ecdsa" });
      const hostKeys = ["host", "ecdsa", "rsa"].map((name) => join(space.dir, name));
      await using many = await sshd({ hostKeys, authorizedKeys: [await space.publicKey("user")] });
      for (const name of ["rsa", "ecdsa", "host"]) {
        await using session = await open({ port: many.port, hostKeys: [await space.publicKey(name)] });
        expect(session.hostKeyFingerprint).toBe(fingerprintOf(name));
      }
    });

    test("accept-new records each of many hosts once, for OpenSSH to read too", async () => {
      const knownHostsFile = join(space.dir, "fresh-dir/known");
      const ports = await Promise.all(
        [0, 1, 2, 3].map(async () => sshd({ authorizedKeys: [await space.publicKey("user")] })),
      );
      const everyone = ports.flatMap(({ port }) => [port, port]);
      const shared = transport();
      const sessions = await Promise.all(
        everyone.map((port) =>
          shared.open(
            { ...target, port, hostKeys: [], knownHostsFile, hostKeyPolicy: "accept-new" },
            { signal },
          ),
        ),
      );
      await Promise.all([...sessions, ...ports].map((resource) => resource[Symbol.asyncDispose]()));
      const lines = (await readFile(knownHostsFile, "utf8")).trim().split("\n");
      expect(lines).toHaveLength(4);
      for (const { port } of ports) {
        execFileSync("ssh-keygen", ["-F", `[127.0.0.1]:${port}`, "-f", knownHostsFile], { stdio: "ignore" });
      }
    });
  });

  describe("logging in", () => {
    test("a key the host does not know is refused, naming what was tried", async () => {
      const error = await failure(open({ identityFile: join(space.dir, "other") }));
      expect(error).toMatchObject({ code: "auth-refused" });
      expect(error.message).toContain(fingerprintOf("other"));
      expect(error.hint).toContain(`ssh-copy-id -p ${server.port}`);
    });

    test("a key file that does not exist", async () => {
      expect(await failure(open({ identityFile: "~/no-such-key" }))).toMatchObject({
        code: "key-file-missing",
        message: expect.stringContaining(join(space.dir, "no-such-key")),
      });
    });

    test("a file that is no key", async () => {
      const identityFile = await file("rubbish", "hello\n");
      expect(await failure(open({ identityFile }))).toMatchObject({ code: "key-file-unreadable" });
    });

    test("no key anywhere", async () => {
      const { identityFile: _, ...keyless } = target;
      const error = await failure(transport().open(keyless, { signal }));
      expect(error).toMatchObject({ code: "key-file-missing" });
    });

    test.for(["ecdsa", "rsa"])("an %s key works", async (type) => {
      const path = space.key(`user-${type}`, { type });
      await using other = await sshd({ authorizedKeys: [await space.publicKey(`user-${type}`)] });
      await using session = await open({ port: other.port, identityFile: path });
      expect(await session.run(hello, { signal })).toMatchObject({ code: 0 });
    });

    test("the usual files are tried when none is named", async () => {
      const home = await createWorkspace();
      await using _ = home;
      execFileSync("cp", ["-r", space.dir, join(home.dir, ".ssh")]);
      execFileSync("mv", [join(home.dir, ".ssh/user"), join(home.dir, ".ssh/id_ed25519")]);
      const { identityFile: __, ...keyless } = target;
      await using session = await transport({ HOME: home.dir }).open(keyless, { signal });
      expect(await session.run(hello, { signal })).toMatchObject({ code: 0 });
    });

    test("an encrypted key names the fix, and works through an agent even among many keys", async () => {
      const locked = space.key("locked", { passphrase: "open sesame" });
      await using other = await sshd({
        authorizedKeys: [await space.publicKey("locked")],
        config: ["MaxAuthTries 2"],
      });
      const values = { ...target, port: other.port, identityFile: locked };
      const error = await failure(transport().open(values, { signal }));
      expect(error).toMatchObject({ code: "key-file-unreadable" });
      expect(error.hint).toContain(`ssh-add ${locked}`);

      await using agent = await startAgent(space.dir);
      const withAgent = transport({ SSH_AUTH_SOCK: agent.socket });
      expect(await failure(withAgent.open(values, { signal }))).toMatchObject({
        code: "key-file-unreadable",
        message: expect.stringContaining("agent does not hold it"),
      });
      for (const name of ["a1", "a2", "a3"]) agent.add(space.key(name));
      const askpass = await file("askpass", "#!/bin/sh\necho open sesame\n");
      execFileSync("chmod", ["+x", askpass]);
      agent.add(locked, { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force" });
      await using session = await withAgent.open(values, { signal });
      expect(await session.run(hello, { signal })).toMatchObject({ code: 0 });
    });

    test("the agent's keys are used when no file is named", async () => {
      await using agent = await startAgent(space.dir);
      agent.add(userKey);
      const { identityFile: _, ...keyless } = target;
      await using session = await transport({ SSH_AUTH_SOCK: agent.socket }).open(keyless, { signal });
      expect(await session.run(hello, { signal })).toMatchObject({ code: 0 });
    });

    test("an agent that is not there is said so", async () => {
      const { identityFile: _, ...keyless } = target;
      const gone = transport({ SSH_AUTH_SOCK: join(space.dir, "no-agent") });
      const error = await failure(gone.open(keyless, { signal }));
      expect(error).toMatchObject({ code: "auth-refused" });
      expect(error.message).toContain("Failed to connect to agent");
    });
  });

  describe("reaching", () => {
    test("a closed port is unreachable: refused", async () => {
      expect(await failure(open({ port: await freePort() }))).toMatchObject({
        code: "unreachable",
        transient: true,
        data: { reason: "refused" },
      });
    });

    test("a name that does not resolve is unreachable: dns", async () => {
      expect(await failure(open({ address: "no-such-host.invalid" }))).toMatchObject({
        code: "unreachable",
        data: { reason: "dns" },
      });
    });

    test("a server that says nothing runs into the deadline", async () => {
      await using silent = await listen(() => undefined);
      const error = await failure(open({ port: silent.port, connectTimeoutMs: 200 }));
      expect(error).toMatchObject({ code: "unreachable", data: { reason: "timeout" } });
      expect(error.message).toContain("within 0.2 s while agreeing on keys");
      await expect.poll(() => silent.connections()).toBe(0);
    });

    test("a server that hangs up is unreachable: closed", async () => {
      await using rude = await listen((socket) => socket.destroy());
      expect(await failure(open({ port: rude.port }))).toMatchObject({
        code: "unreachable",
        data: { reason: "closed" },
      });
    });

    test("something that is not SSH", async () => {
      await using web = await listen((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
      const error = await failure(open({ port: web.port }));
      expect(["unreachable", "host-protocol"]).toContain(error.code);
    });

    test("an abort while connecting closes the socket", async () => {
      await using silent = await listen(() => undefined);
      const controller = new AbortController();
      const reason = new Error("never mind");
      const opening = transport().open({ ...target, port: silent.port }, { signal: controller.signal });
      await expect.poll(() => silent.connections()).toBe(1);
      controller.abort(reason);
      await expect(opening).rejects.toBe(reason);
      await expect.poll(() => silent.connections()).toBe(0);
    });

    test("an abort while waiting for a handshake slot does not take one", async () => {
      await using silent = await listen(() => undefined);
      const narrow = createSshTransport({ env: { HOME: space.dir }, connectLimit: 1 });
      const [first, second] = [new AbortController(), new AbortController()];
      const blocking = narrow.open({ ...target, port: silent.port }, { signal: first.signal });
      const waiting = narrow.open(target, { signal: second.signal });
      second.abort(new Error("second"));
      await expect(waiting).rejects.toThrow("second");
      first.abort(new Error("first"));
      await expect(blocking).rejects.toThrow("first");
      await using session = await narrow.open(target, { signal });
      expect(session.closed).toBe(false);
    });
  });

  test("sshd killed in mid-command is connection-lost, for every command on it", async () => {
    await using doomed = await sshd({ authorizedKeys: [await space.publicKey("user")] });
    await using session = await open({ port: doomed.port });
    const started = Promise.withResolvers<void>();
    const onLine = () => started.resolve();
    const results = [
      failure(session.run({ line: "echo started; sleep 30", label: "long" }, { signal, onLine })),
      failure(session.run({ line: "sleep 30", label: "longer" }, { signal })),
    ];
    await started.promise;
    await doomed.kill();
    for (const error of await Promise.all(results)) {
      expect(error).toMatchObject({ code: "connection-lost", transient: true });
    }
    expect(session.closed).toBe(true);
    expect(await failure(session.run(hello, { signal }))).toMatchObject({ code: "connection-lost" });
  });

  describe("bastions", () => {
    const hop = (port: number, hostKey: string) => ({
      address: "127.0.0.1",
      port,
      user: server.user,
      hostKeys: [hostKey],
      identityFile: userKey,
    });
    const authorized = async () => ({ authorizedKeys: [await space.publicKey("user")] });

    test("two hops, each with its own key, and everything closed afterwards", async () => {
      await using outer = await sshd({ ...(await authorized()), hostKeys: [space.key("outer")] });
      await using inner = await sshd({ ...(await authorized()), hostKeys: [space.key("inner")] });
      const via = [
        hop(outer.port, await space.publicKey("outer")),
        hop(inner.port, await space.publicKey("inner")),
      ];
      const session = await open({ via });
      const bytes = Buffer.alloc(3_000_000, "bastion");
      const { stdout } = await session.run({ line: "cat", label: "echo", stdin: bytes }, { signal });
      expect(stdout).toBe(bytes.toString());
      expect(session.hostKeyFingerprint).toBe(fingerprintOf("host"));
      await session[Symbol.asyncDispose]();
      for (const hopServer of [outer, inner]) {
        await expect.poll(() => hopServer.log()).toMatch(/Disconnected from user/);
      }
    });

    test("hosts behind one bastion share the connection to it", async () => {
      await using bastion = await sshd({ ...(await authorized()), config: ["MaxStartups 1"] });
      const via = [hop(bastion.port, await space.publicKey("host"))];
      const shared = transport();
      const sessions = await Promise.all([1, 2, 3, 4].map(() => shared.open({ ...target, via }, { signal })));
      expect(bastion.log().match(/Accepted publickey/g)).toHaveLength(1);
      await Promise.all(sessions.slice(1).map((session) => session[Symbol.asyncDispose]()));
      expect(await sessions[0]?.run(hello, { signal })).toMatchObject({ code: 0 });
      await sessions[0]?.[Symbol.asyncDispose]();
      await expect.poll(() => bastion.log()).toMatch(/Disconnected from user/);
    });

    test("a bastion with the wrong host key stops everything and is named", async () => {
      await using bastion = await sshd(await authorized());
      const via = [hop(bastion.port, await space.publicKey("other"))];
      const error = await failure(open({ via }));
      expect(error).toMatchObject({ code: "host-key-changed" });
      expect(error.message).toContain(`node-01: bastion ${server.user}@127.0.0.1:${bastion.port}`);
    });

    test("a bastion that is down is named", async () => {
      const port = await freePort();
      const error = await failure(open({ via: [hop(port, await space.publicKey("host"))] }));
      expect(error).toMatchObject({ code: "unreachable", data: { reason: "refused", role: "bastion" } });
      expect(error.message).toContain(`bastion ${server.user}@127.0.0.1:${port}`);
    });

    test("a host the bastion cannot reach", async () => {
      await using bastion = await sshd(await authorized());
      const error = await failure(
        open({ via: [hop(bastion.port, await space.publicKey("host"))], port: await freePort() }),
      );
      expect(error).toMatchObject({ code: "unreachable", data: { reason: "forwarding", role: "host" } });
      expect(error.message).toContain("cannot reach it");
      await expect.poll(() => bastion.log()).toMatch(/Disconnected from user/);
    });

    test("a bastion that forbids forwarding", async () => {
      await using bastion = await sshd({ ...(await authorized()), config: ["AllowTcpForwarding no"] });
      const error = await failure(open({ via: [hop(bastion.port, await space.publicKey("host"))] }));
      expect(error).toMatchObject({ code: "unreachable" });
      expect(error.hint).toContain("AllowTcpForwarding");
    });

    test("a bastion killed in mid-command is connection-lost", async () => {
      await using bastion = await sshd(await authorized());
      await using session = await open({ via: [hop(bastion.port, await space.publicKey("host"))] });
      const started = Promise.withResolvers<void>();
      const command = { line: "echo started; sleep 30", label: "long" };
      const result = failure(session.run(command, { signal, onLine: () => started.resolve() }));
      await started.promise;
      await bastion.kill();
      expect(await result).toMatchObject({ code: "connection-lost" });
    });

    test("ProxyJump, HostName, Port, User, keys and known_hosts come from an ssh_config", async () => {
      await using bastion = await sshd({ ...(await authorized()), hostKeys: [space.key("jump")] });
      const knownHosts = await file(
        "config-known",
        `[127.0.0.1]:${bastion.port} ${await space.publicKey("jump")}\n[127.0.0.1]:${server.port} ${await space.publicKey("host")}\n`,
      );
      const sshConfigFile = await file(
        "ssh_config",
        [
          "Host edge",
          `  Port ${server.port}`,
          "  ProxyJump gate",
          "Host gate",
          `  Port ${bastion.port}`,
          "Host *",
          "  HostName 127.0.0.1",
          `  User ${server.user}`,
          "  IdentityFile %d/user",
          `  UserKnownHostsFile ${knownHosts}`,
        ].join("\n"),
      );
      const aliased = targetFor({
        address: "edge",
        user: "nobody",
        defaulted: ["port", "user"],
        sshConfigFile,
      });
      await using session = await transport().open(aliased, { signal });
      expect(await session.run(hello, { signal })).toMatchObject({ code: 0 });
      expect(bastion.log()).toMatch(/Accepted publickey/);
    });
  });

  describe("in a pool", () => {
    const logins = (log: string) => log.match(/Accepted publickey/g)?.length ?? 0;

    test("steps share one connection, fresh ones never do", async () => {
      await using own = await sshd({ authorizedKeys: [await space.publicKey("user")] });
      await using pool = new SessionPool({ transport: transport() });
      const values = { ...target, port: own.port };
      for (let step = 0; step < 3; step++) {
        await using session = await pool.session(values, signal);
        expect(await session.run(hello, { signal })).toMatchObject({ code: 0 });
      }
      expect(logins(own.log())).toBe(1);
      await using fresh = await pool.fresh(values, signal);
      expect(await fresh.run(hello, { signal })).toMatchObject({ code: 0 });
      expect(logins(own.log())).toBe(2);
    });

    test("a connection that died is replaced", async () => {
      const own = await sshd({ authorizedKeys: [await space.publicKey("user")] });
      await using pool = new SessionPool({ transport: transport() });
      const values = { ...target, port: own.port };
      const before = await pool.session(values, signal);
      const sleeping = failure(before.run({ line: "sleep 30", label: "sleep" }, { signal }));
      await own.kill();
      expect(await sleeping).toMatchObject({ code: "connection-lost" });
      await before[Symbol.asyncDispose]();
      await using again = await sshd({ authorizedKeys: [await space.publicKey("user")], port: own.port });
      await using after = await pool.session(values, signal);
      expect(await after.run(hello, { signal })).toMatchObject({ code: 0 });
      expect(logins(again.log())).toBe(1);
    });
  });
});

interface Failed {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

async function failure(promise: Promise<unknown>): Promise<Failed> {
  const outcome: unknown = await promise.then(
    () => new Error("did not fail"),
    (error: unknown) => error,
  );
  if (outcome instanceof Error && "code" in outcome) return outcome as Error & Failed;
  throw outcome;
}

async function startAgent(dir: string) {
  const socket = join(dir, `agent-${Math.random().toString(36).slice(2)}`);
  const child = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  return {
    socket,
    add(key: string, env: Record<string, string> = {}) {
      execFileSync("ssh-add", ["-q", key], {
        env: { ...process.env, SSH_AUTH_SOCK: socket, ...env },
        stdio: "ignore",
      });
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, "exit");
      await rm(socket, { force: true });
    },
  };
}

async function listen(onConnection: (socket: net.Socket) => void) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    socket.resume();
    onConnection(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    connections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
