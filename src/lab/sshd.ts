/** A real SSH server in front of one simulated host: public key only, exec only, loopback only. */
import { once } from "node:events";
import { createServer, type Server as NetServer, type Socket, connect as tcpConnect } from "node:net";
import ssh2, { type AuthContext, type Connection, type ServerChannel } from "ssh2";

/** One command a client runs. `stdin` ends when the client closes its side. */
export interface ExecRequest {
  readonly line: string;
  readonly user: string;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Aborts when the connection goes away. */
  readonly signal: AbortSignal;
}

export interface ExecResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SshdOptions {
  readonly hostKey: string;
  /** Public keys that may log in, `ssh-ed25519 AAAA…`. */
  readonly authorizedKeys: readonly string[];
  readonly users: readonly string[];
  readonly motd: string;
  readonly exec: (request: ExecRequest) => Promise<ExecResult>;
  /** May this host be used to reach that loopback port, as a bastion would? */
  readonly mayForward?: (port: number) => boolean;
}

export interface Sshd extends AsyncDisposable {
  /** Starts accepting; `port` 0 picks a free one. Rejects with EADDRINUSE and the like. */
  listen(port: number): Promise<number>;
  /** Refuses connections from now on and cuts those that exist, without a goodbye. */
  cut(): Promise<void>;
  readonly listening: boolean;
  setHostKey(privateKey: string): void;
}

export function createSshd(options: SshdOptions): Sshd {
  const allowed = options.authorizedKeys.map(parsePublic);
  const sockets = new Set<Socket>();
  let net: NetServer | null = null;
  let ssh = newServer(options.hostKey);

  function newServer(hostKey: string): ssh2.Server {
    return new ssh2.Server({ hostKeys: [hostKey], ident: "macula-fleet-lab" }, (client) => {
      let user = "";
      client.on("authentication", (context) => {
        user = context.username;
        authenticate(context);
      });
      client.on("error", () => {}); // a client that vanishes is not the lab's problem
      client.on("ready", () => serve(client, user));
    });
  }

  function authenticate(context: AuthContext): void {
    if (admits(context)) context.accept();
    else context.reject(["publickey"]);
  }

  /** A client may ask first whether a key would do, and then prove that it has it. */
  function admits(context: AuthContext): boolean {
    if (!options.users.includes(context.username) || context.method !== "publickey") return false;
    const blob = context.key.data;
    const key = allowed.find((k) => k.getPublicSSH().equals(blob));
    if (!key) return false;
    if (!context.signature || !context.blob) return true;
    return key.verify(context.blob, context.signature, context.hashAlgo) === true;
  }

  function serve(client: Connection, user: string): void {
    const gone = new AbortController();
    client.on("close", () => gone.abort(new Error("the client went away")));
    client.on("session", (accept) => {
      const session = accept();
      session.on("pty", (yes) => yes?.());
      session.on("env", (yes) => yes?.());
      session.on("exec", (yes, _no, { command }) => {
        void run(yes(), { line: command, user, signal: gone.signal }, options.exec);
      });
      session.on("shell", (yes) => {
        const refusal = `${options.motd}\r\nA lab host has no shell. Give a command: hostname, uptime, …\r\n`;
        finish(yes(), { exit: 1, stdout: refusal, stderr: "" });
      });
    });
    client.on("tcpip", (accept, reject, { destIP, destPort }) => {
      if (!options.mayForward?.(destPort) || !["127.0.0.1", "localhost", "::1"].includes(destIP))
        return reject();
      const upstream = tcpConnect({ port: destPort, host: "127.0.0.1", noDelay: true });
      upstream.once("connect", () => {
        const channel = accept();
        channel.pipe(upstream).pipe(channel);
        channel.on("error", () => upstream.destroy());
        channel.on("close", () => upstream.destroy());
      });
      upstream.on("error", () => reject());
    });
  }

  return {
    get listening() {
      return net !== null;
    },
    async listen(port) {
      if (net) return portOf(net);
      const server = createServer({ noDelay: true }, (socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        socket.on("error", () => {});
        ssh.injectSocket(socket);
      });
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      net = server;
      return portOf(server);
    },
    async cut() {
      const server = net;
      net = null;
      const closed = server ? new Promise<void>((done) => server.close(() => done())) : undefined;
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
    },
    setHostKey(privateKey) {
      ssh = newServer(privateKey);
    },
    async [Symbol.asyncDispose]() {
      await this.cut();
    },
  };
}

function parsePublic(key: string): ssh2.ParsedKey {
  const parsed = ssh2.utils.parseKey(key);
  if (parsed instanceof Error) throw parsed;
  return Array.isArray(parsed) ? parsed[0] : parsed;
}

function portOf(server: NetServer): number {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
}

async function run(
  channel: ServerChannel,
  request: Omit<ExecRequest, "stdin">,
  exec: SshdOptions["exec"],
): Promise<void> {
  channel.on("error", () => {});
  try {
    finish(channel, await exec({ ...request, stdin: channel }));
  } catch (error) {
    if (request.signal.aborted) return;
    finish(channel, { exit: 255, stdout: "", stderr: `lab: ${String(error)}\n` });
  }
}

function finish(channel: ServerChannel, result: ExecResult): void {
  channel.resume(); // unread input would keep the channel half open
  if (result.stderr !== "") channel.stderr.write(result.stderr);
  channel.write(result.stdout, () => {
    channel.exit(result.exit);
    channel.end();
  });
}
