import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readOptions } from "../../src/firstboot/options.ts";
import { createPortal } from "../../src/firstboot/portal.ts";
import { type Ending, runFirstboot } from "../../src/firstboot/run.ts";
import { systemClock } from "../../src/kernel/clock.ts";

export const TOKEN = "refresh-token-nobody-may-see";
export const PORTAL_CODE = "PORTAL-77";

interface Said {
  readonly status: number;
  readonly body: string;
}

export interface FakePortal extends AsyncDisposable {
  readonly url: string;
  readonly asked: unknown[];
  /** What it answers next; the default pairs whoever brings `PORTAL_CODE`. */
  answer: ((body: { pairing_code: string }) => Said | Promise<Said>) | null;
}

export async function fakePortal(): Promise<FakePortal> {
  const asked: unknown[] = [];
  const server = createServer(async (req, res) => {
    let text = "";
    for await (const chunk of req) text += chunk;
    const body = JSON.parse(text);
    asked.push({ method: req.method, path: req.url, body });
    const good = { user_name: "Ada", org_identity: "Ghent <b>Commons</b>", refresh_token: TOKEN };
    const { status, body: said } = (await portal.answer?.(body)) ?? {
      status: body.pairing_code === PORTAL_CODE ? 200 : 404,
      body: JSON.stringify(body.pairing_code === PORTAL_CODE ? good : { error: "no such code" }),
    };
    res.writeHead(status, { "content-type": "application/json" }).end(said);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const portal: FakePortal = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: null,
    [Symbol.asyncDispose]: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
  return portal;
}

export interface Wizard extends AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  readonly code: string;
  readonly screen: string;
  readonly logs: string[];
  readonly reboots: number[];
  readonly ending: Promise<Ending>;
}

export const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHomeLabOperatorKeyExampleOnlyHomeLabOper";

/** The whole program but for its process: real server, real files, its clock hurries through the farewell. */
export async function startWizard(portalUrl: string, ...argv: string[]): Promise<Wizard> {
  const directory = await mkdtemp(join(tmpdir(), "firstboot-"));
  const stop = new AbortController();
  const logs: string[] = [];
  const reboots: number[] = [];
  let screen = "";
  let asked = 0;
  let now = 1_795_000_000_000;
  const options = readOptions([
    ...["-port", "0", "-host", "127.0.0.1", "-state-dir", directory, "-portal", portalUrl],
    ...argv,
  ]);
  const ready = Promise.withResolvers<number>();
  const ending = runFirstboot(options, {
    // As on a first boot: the SSH host key is there a little later than the wizard.
    facts: async () => ({
      hostname: "macula-a1b2c3",
      arch: "x86_64-linux",
      boot: "uefi",
      address: "192.168.1.50",
      mac: "52:54:00:12:34:56",
      hostKey: asked++ === 0 ? null : HOST_KEY,
    }),
    portal: createPortal(options.portal),
    // Every look at the clock is two seconds later, so tries are never too fast unless a test wants that.
    clock: {
      now: () => {
        now += 2000;
        return now;
      },
      sleep: (ms, signal) => systemClock.sleep(ms === 5000 ? 1 : ms, signal),
    },
    screen: (text) => {
      screen = text;
    },
    log: (line) => logs.push(line),
    reboot: async () => {
      reboots.push(reboots.length);
    },
    signal: stop.signal,
    onListening: ready.resolve,
  });
  ending.then((how) => ready.reject(new Error(`it ended before it began: ${how}`)), ready.reject);
  const port = await ready.promise;
  const code = /Code {3}([A-Z2-9]{3}-[A-Z2-9]{3})/.exec(screen)?.[1] ?? "";
  return {
    port,
    directory,
    code,
    screen,
    logs,
    reboots,
    ending,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ending.catch(() => undefined);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** A request with any headers, also those `fetch` sets by itself. */
export function ask(
  port: number,
  path: string,
  o: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request(
      { host: "127.0.0.1", port, path, method: o.method ?? "GET", headers: o.headers ?? {} },
      async (res) => {
        let text = "";
        for await (const chunk of res) text += chunk;
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text });
      },
    );
    req.on("error", reject);
    req.end(o.body);
  });
}

export const pair = (port: number, body: object, headers: Record<string, string> = {}) =>
  ask(port, "/pair", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
