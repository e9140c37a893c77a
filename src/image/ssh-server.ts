/** Is there an SSH server behind a port of this machine? */
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const BETWEEN_TRIES_MS = 500;
const SILENCE_MS = 10_000;

/** Asks until one answers: its name, such as `OpenSSH_10.0p2`. Rejects on abort only. */
export async function sshServer(port: number, signal: AbortSignal): Promise<string> {
  for (;;) {
    const line = await firstLine(port, signal);
    signal.throwIfAborted();
    const name = /^SSH-2\.0-([!-~]+)/.exec(line)?.[1];
    if (name !== undefined) return name;
    await delay(BETWEEN_TRIES_MS, undefined, { signal });
  }
}

/** Empty when nobody is there or nothing is said: an emulator's forwarded port accepts before anybody listens. */
function firstLine(port: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect({ port, host: "127.0.0.1", signal });
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString("latin1");
      if (said.includes("\n") || said.length > 255) socket.destroy();
    });
    socket.on("close", () => resolve(said));
  });
}

/** A port of this machine that nobody listens on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
