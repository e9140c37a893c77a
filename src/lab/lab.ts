/** A whole lab in this process: hosts, control channel, and the files of its directory. */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ServerType, serve } from "@hono/node-server";
import { z } from "zod";
import type { Clock } from "../kernel/clock.ts";
import { controlApp } from "./control-server.ts";
import { type LabFleet, type LabSeed, startFleet } from "./fleet.ts";
import { fleetShape, type LabHostShape } from "./fleet-shape.ts";
import { labInventory } from "./inventory-file.ts";
import { knownHostsLine, newKeyPair } from "./keys.ts";
import { type LabLayout, labLayout } from "./layout.ts";
import type { Machine, Timing } from "./machine/model.ts";
import { blankMachine, installedMachine } from "./machine/new-machine.ts";
import { powerOn } from "./machine/power.ts";
import { launcherScript } from "./nixos-anywhere-launcher.ts";
import type { RunningLab } from "./running.ts";
import { newCatalog, readCatalog, systemFor, writeCatalog } from "./store/catalog.ts";
import { closureOf } from "./store/closure.ts";

export const LabSettings = z.strictObject({
  dir: z.string(),
  hosts: z.number().int().min(1).max(1000),
  sites: z.number().int().min(1).optional(),
  blank: z.boolean().default(false),
  timing: z
    .strictObject({ activation: z.number(), boot: z.number(), rebootDelay: z.number(), watchdog: z.number() })
    .optional(),
});
export type LabSettings = z.input<typeof LabSettings>;

export interface Lab extends AsyncDisposable {
  readonly running: RunningLab;
  readonly fleet: LabFleet;
  /** Resolves when somebody asked over the control channel to stop; true: keep the disks. */
  readonly stopRequested: Promise<boolean>;
  /** Stops every host; with `keep` their disks are written so that the next `startLab` resumes them. */
  stop(o: { readonly keep: boolean }): Promise<void>;
}

/** The kept part of a host: what a machine has when its power is off. */
interface KeptHost {
  readonly hostKey: string;
  readonly wrongHostKey: string;
  readonly port: number;
  readonly machine: Machine;
}

/** Starts a lab in `settings.dir` (made if need be) and writes inventory, keys and known_hosts there. */
export async function startLab(settings: LabSettings, clock: Pick<Clock, "now">): Promise<Lab> {
  const s = LabSettings.parse(settings);
  const files = labLayout(s.dir);
  for (const dir of [files.dir, files.hosts, files.bin, files.state])
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  const shape = fleetShape(s.hosts, s.sites);
  if (existsSync(files.releases)) readCatalog(files.releases);
  else writeCatalog(files.releases, newCatalog("r2", ["r1", "r2"]));
  const operator = operatorKey(files);
  const seeds = shape.map((host) => seed(files, host, s, clock.now()));
  const fleet = await startFleet(seeds, { authorizedKeys: [operator], clock });

  const requested = Promise.withResolvers<boolean>();
  const token = randomBytes(24).toString("hex");
  const app = controlApp(
    {
      hosts: fleet.hosts,
      shape: new Map(shape.map((h) => [h.name, h])),
      pid: process.pid,
      head: () => readCatalog(files.releases).head,
      stop: requested.resolve,
    },
    token,
  );
  const { server, port: controlPort } = await listenLocally(app.fetch);

  const hosts = shape.map((h) => ({ ...h, port: fleet.hosts.get(h.name)?.port ?? 0 }));
  const running: RunningLab = {
    schema: 1,
    note: "A simulated macula-fleet lab. End it with `macula-fleet lab down`.",
    backend: "sim",
    pid: process.pid,
    controlPort,
    token,
    started: Math.floor(clock.now() / 1000),
    hosts,
  };
  const known = [...fleet.hosts.values()].map((h) => knownHostsLine(h.port, h.hostPublicKey));
  writeFileSync(files.knownHosts, `${known.join("\n")}\n`);
  writeFileSync(files.inventory, labInventory(hosts));
  writeFileSync(files.nixosAnywhere, launcherScript(files.dir, files.cache));
  chmodSync(files.nixosAnywhere, 0o755);
  // Last, and at once: whoever sees this file sees a complete lab.
  writeFileSync(`${files.lab}.new`, `${JSON.stringify(running, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${files.lab}.new`, files.lab);

  const stop = async ({ keep }: { readonly keep: boolean }) => {
    await fleet[Symbol.asyncDispose]();
    await new Promise<void>((done) => {
      server.close(() => done());
      if ("closeAllConnections" in server) server.closeAllConnections();
    });
    for (const s of keep ? seeds : []) keepHost(files, s, fleet);
  };
  return {
    running,
    fleet,
    stopRequested: requested.promise,
    stop,
    [Symbol.asyncDispose]: () => stop({ keep: false }),
  };
}

function operatorKey(files: LabLayout): string {
  if (!existsSync(files.identity) || !existsSync(files.identityPub)) {
    const key = newKeyPair("macula-fleet-lab");
    writeFileSync(files.identity, key.private, { mode: 0o600 });
    writeFileSync(files.identityPub, `${key.public}\n`);
  }
  return readFileSync(files.identityPub, "utf8").trim();
}

const hostFile = (files: LabLayout, name: string): string => join(files.hosts, `${name}.json`);

function seed(files: LabLayout, host: LabHostShape, s: z.output<typeof LabSettings>, now: number): LabSeed {
  const file = hostFile(files, host.name);
  if (existsSync(file)) {
    const kept: KeptHost = JSON.parse(readFileSync(file, "utf8"));
    rmSync(file);
    return { ...kept, machine: powerOn(kept.machine, now) };
  }
  const timing: { readonly timing?: Timing } = s.timing ? { timing: s.timing } : {};
  const hostKey = newKeyPair(`${host.name} (lab)`);
  const spec = { name: host.name, hostKey: hostKey.public, ...timing };
  const machine = s.blank
    ? blankMachine(spec, now)
    : installedMachine(spec, closureOf(systemFor(newCatalog("r1", ["r1"]), host.name, "r1")), now);
  return {
    machine,
    hostKey: hostKey.private,
    wrongHostKey: newKeyPair(`not ${host.name} (lab)`).private,
    port: 0,
  };
}

function keepHost(files: LabLayout, s: LabSeed, fleet: LabFleet): void {
  const host = fleet.hosts.get(s.machine.name);
  if (!host) return;
  const machine: Machine = { ...host.machine(), memory: null, power: { kind: "off" } };
  const kept: KeptHost = { hostKey: s.hostKey, wrongHostKey: s.wrongHostKey, port: host.port, machine };
  mkdirSync(dirname(hostFile(files, host.name)), { recursive: true });
  writeFileSync(hostFile(files, host.name), JSON.stringify(kept), { mode: 0o600 });
}

type Fetch = Parameters<typeof serve>[0]["fetch"];

function listenLocally(fetch: Fetch): Promise<{ readonly server: ServerType; readonly port: number }> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => resolve({ server, port }));
    server.once("error", reject);
  });
}
