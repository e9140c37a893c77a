import { networkInterfaces } from "node:os";
import { serve } from "@hono/node-server";
import { FleetError } from "../errors.ts";
import type { Clock } from "../kernel/clock.ts";
import { writeWhole } from "../kernel/write-whole.ts";
import { newCode } from "./code.ts";
import { consoleText } from "./console.ts";
import type { MachineFacts } from "./facts.ts";
import { exists, readIfThere, statePaths } from "./files.ts";
import { ensureIdentity } from "./identity.ts";
import type { FirstbootOptions } from "./options.ts";
import { type Outcome, Pairing } from "./pairing.ts";
import type { Credentials, Portal } from "./portal.ts";
import { proposalFor } from "./proposal.ts";
import { isNear } from "./web/lan.ts";
import { createWizard } from "./web/server.ts";

/** Between the answer and the restart, so that the browser still gets it; milliseconds. */
const FAREWELL_MS = 5000;

export interface FirstbootDeps {
  /** Asked again when it pairs: on a first boot the SSH host key and the address may come after the wizard. */
  readonly facts: () => Promise<MachineFacts>;
  readonly portal: Portal;
  readonly clock: Clock;
  /** The machine's own screen. The only place that shows the code. */
  readonly screen: (text: string) => void | Promise<void>;
  /** The journal: no codes, no tokens. */
  readonly log: (line: string) => void;
  readonly reboot: () => Promise<void>;
  readonly signal: AbortSignal;
  readonly onListening?: (port: number) => void;
}

export type Ending = "already-paired" | "paired" | "timeout" | "stopped";

/** Offers pairing until it happened, the time is over, or the signal says stop. */
export async function runFirstboot(options: FirstbootOptions, deps: FirstbootDeps): Promise<Ending> {
  const { clock, log } = deps;
  const paths = statePaths(options["state-dir"]);
  if (!options.force && (await exists(paths.marker))) {
    log("this machine is paired already (-force asks again)");
    return "already-paired";
  }
  const { did } = await ensureIdentity(paths.identity);
  const { hostname, address } = await deps.facts();
  const end = new AbortController();
  const signal = AbortSignal.any([deps.signal, end.signal]);
  let entry: string | null = null;
  let paired = false;

  const keep = async (credentials: Credentials) => {
    entry = proposalFor(await deps.facts(), did, credentials.orgIdentity);
    const { userName: user_name, orgIdentity: org_identity } = credentials;
    const file = { user_name, org_identity, refresh_token: credentials.refreshToken.reveal() };
    await writeWhole(paths.credentials, `${JSON.stringify(file, null, 2)}\n`, 0o600, 0o700);
    await writeWhole(paths.proposal, entry, 0o644);
    // Last: with it the machine counts as paired.
    const time = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    await writeWhole(paths.marker, `${time}\n`, 0o644);
    paired = true;
  };
  const code = newCode();
  const pairing = new Pairing({ code, hostname, portal: deps.portal, clock, keep });
  const onOutcome = (outcome: Outcome) => {
    log(`pairing: ${outcome.kind}${"triesLeft" in outcome ? `, ${outcome.triesLeft} tries left` : ""}`);
    if (outcome.kind === "paired") end.abort();
  };

  const url = (port: number) => `http://${hostname}.local${port === 80 ? "" : `:${port}`}`;
  const wizard = createWizard({
    pairing,
    hostname,
    url: url(options.port),
    portal: options.portal.href,
    isNear: (peer) => isNear(peer, networkInterfaces()),
    signal: deps.signal,
    onOutcome,
    onProblem: (error) => log(`pairing failed: ${error.message}`),
    proposal: () => entry,
  });
  await using server = await listen(wizard.fetch, options);
  const minutes = Math.round(options.timeout / 60_000);
  await deps.screen(consoleText({ url: url(server.port), address, code, minutes }));
  log(`waiting for pairing at ${url(server.port)}`);
  deps.onListening?.(server.port);

  await clock.sleep(options.timeout, signal).catch(() => undefined);
  // The portal may just have used up somebody's code: that pairing still counts.
  if (!deps.signal.aborted) await pairing.settled();
  if (!paired) {
    if (deps.signal.aborted) return "stopped";
    log("nobody paired this machine in time; start it again to try once more");
    return "timeout";
  }
  await clock.sleep(FAREWELL_MS, deps.signal).catch(() => undefined);
  if (options.reboot && !deps.signal.aborted) {
    log("paired; restarting");
    await deps.reboot();
  }
  return "paired";
}

interface Listening extends AsyncDisposable {
  readonly port: number;
}

function listen(
  fetch: Parameters<typeof serve>[0]["fetch"],
  { host, port }: FirstbootOptions,
): Promise<Listening> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: host, port, overrideGlobalObjects: false }, (address) => {
      resolve({
        port: address.port,
        [Symbol.asyncDispose]: () =>
          new Promise((closed) => {
            server.close(() => closed());
            if ("closeAllConnections" in server) server.closeAllConnections();
          }),
      });
    });
    server.once("error", (cause: Error) =>
      reject(
        new FleetError("command-failed", `port ${port} cannot be listened on: ${cause.message}`, { cause }),
      ),
    );
  });
}

/** Where the screen's text also is, for machines without a screen: read it as root over SSH. */
export async function writeForSsh(directory: string | undefined, text: string): Promise<void> {
  if (directory === undefined) return;
  const path = `${directory}/console`;
  if ((await readIfThere(path)) !== text) await writeWhole(path, text, 0o600, 0o700);
}
