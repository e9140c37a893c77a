import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { gatherSecrets } from "../../src/install/secrets/gather.ts";
import { resolveSecret } from "../../src/install/secrets/resolve.ts";
import { aHost } from "../support/fleet.ts";

let dir: string;
const signal = new AbortController().signal;
const deps = (env: Record<string, string> = {}) => ({
  baseDir: dir,
  env: { PATH: process.env.PATH, ...env },
  signal,
});
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-secrets-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

it("reads files, variables and commands", async () => {
  await writeFile(join(dir, "token"), "from file\n");
  const value = async (ref: string) => (await resolveSecret(ref, deps({ TOKEN: "from env" }))).reveal();
  expect(await value("file:token")).toBe("from file");
  expect(await value("env:TOKEN")).toBe("from env");
  expect(await value("cmd:tr a-z A-Z < token")).toBe("FROM FILE");
});

it("asks sops for one key of a file", async () => {
  await writeFile(
    join(dir, "sops"),
    '#!/bin/sh\n[ "$1 $2 $3" = \'--decrypt --extract ["k3s"]["token"]\' ] && echo "value of $4"\n',
    { mode: 0o755 },
  );
  const found = await resolveSecret("sops:secrets.yaml#k3s.token", deps({ PATH: `${dir}:/usr/bin:/bin` }));
  expect(found.reveal()).toBe(`value of ${join(dir, "secrets.yaml")}`);
});

it.each([
  ["file:missing", "ENOENT"],
  ["env:NOT_SET", "not set"],
  ["env:EMPTY", "not set"],
  ["cmd:printf s3cr3t; printf s3cr3t >&2; exit 3", "ended with 3"],
  ["cmd:true", "empty"],
  ["sops:a.yaml#b", "sops is not installed"],
  ["K10s3cr3t", "no reference"],
])("%s: says why, never what", async (ref, why) => {
  const error = await resolveSecret(
    ref,
    deps({ EMPTY: "", PATH: ref.startsWith("sops") ? dir : (process.env.PATH ?? "") }),
  ).catch((e) => e);
  expect(error).toMatchObject({ code: "secret-unavailable" });
  expect(error.message).toContain(why);
  if (!ref.startsWith("cmd:")) expect(inspect(error, { depth: 9 })).not.toContain("s3cr3t");
  expect(inspect(error.cause)).not.toContain("s3cr3t");
});

it("knows every secret of a machine, at the flake's paths", async () => {
  const base = aHost("node-01");
  const host = {
    ...base,
    k3s: { ...base.k3s, cluster: "home", role: "agent" as const },
    users: { macula: { keys: [], passwordHashRef: "env:HASH" } },
    files: [
      { path: "/etc/a", ref: "env:A", mode: "0440" },
      { path: "/etc/plain", content: "x" },
    ],
    network: { ...base.network, wifi: [{ ssid: "home", pskRef: "env:PSK" }] },
    disk: { ...base.disk, encryption: "env:LUKS" },
  };
  const clusters = {
    home: {
      name: "home",
      tokenRef: "env:TOKEN",
      agentTokenRef: "env:AGENT",
      datastore: "sqlite",
      flannelBackend: "vxlan",
      external: false,
      perHost: false,
    } as const,
  };
  const env = { HASH: "h", A: "a", PSK: "p", LUKS: "l", TOKEN: "t", AGENT: "x" };
  const files = await gatherSecrets(host, { clusters }, deps(env));
  expect(files.map((f) => [f.path, f.mode.toString(8), f.content.reveal(), f.installOnly])).toEqual([
    ["/var/lib/macula-fleet/secrets/k3s-token", "400", "x", false],
    ["/var/lib/macula-fleet/secrets/password-macula", "400", "h", false],
    ["/etc/a", "440", "a", false],
    ["/var/lib/macula-fleet/secrets/wifi", "400", "psk_0=p\n", false],
    ["/tmp/disk.key", "400", "l", true],
  ]);
  expect(inspect(files)).not.toMatch(/reveal|'x'/);
});

it("gives an agent the agents' token where there is one, and never a server's secrets", async () => {
  const base = aHost("node-01");
  const of = async (role: "server" | "agent", refs: object) => {
    const cluster = { name: "home", flannelBackend: "vxlan", external: false, perHost: false } as const;
    const clusters = { home: { ...cluster, datastore: "external", ...refs } as const };
    const host = { ...base, k3s: { ...base.k3s, cluster: "home", role } };
    const files = await gatherSecrets(
      host,
      { clusters },
      deps({ T: "t", A: "a", D: "postgres://u:p@db/k3s" }),
    );
    return Object.fromEntries(files.map((f) => [f.path.split("/").at(-1), f.content.reveal()]));
  };
  const refs = { tokenRef: "env:T", datastoreRef: "env:D" };
  expect(await of("agent", refs)).toEqual({ "k3s-token": "t" });
  expect(await of("agent", { ...refs, agentTokenRef: "env:A" })).toEqual({ "k3s-token": "a" });
  expect(await of("server", { ...refs, agentTokenRef: "env:A" })).toEqual({
    "k3s-token": "t",
    "k3s-agent-token": "a",
    "k3s-datastore": "K3S_DATASTORE_ENDPOINT=postgres://u:p@db/k3s\n",
  });
});
