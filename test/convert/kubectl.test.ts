/** How a command reaches the cluster on a server, by what that server lets the login become. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { cluster } from "../../src/convert/k3s/kubectl.ts";

let bin: string;
beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), "mf-kubectl-"));
  program("k3s", 'echo "$AS: $*"');
});
afterEach(() => rmSync(bin, { recursive: true, force: true }));

/** Stand-ins for what becomes root, and for k3s. */
function program(name: string, body: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(bin, name), 0o755);
}
const becomes = (name: string) => program(name, `[ "$1" = -n ] && shift; AS=${name}; export AS; exec "$@"`);
const refuses = (name: string) => program(name, "echo a password is required >&2; exit 1");
const run = (uid: number) => {
  program("id", `echo ${uid}`);
  const { line, stdin } = cluster.cordon("node 1");
  const env = { PATH: `${bin}:/usr/bin:/bin`, AS: uid === 0 ? "root" : "login" };
  const { stdout } = spawnSync("/bin/sh", ["-c", line], { input: String(stdin), env, encoding: "utf8" });
  return stdout.trim();
};

it.each<[string, number, { readonly sudo: boolean; readonly doas: boolean }]>([
  ["root", 0, { sudo: false, doas: false }],
  ["sudo", 1000, { sudo: true, doas: true }],
  ["doas", 1000, { sudo: false, doas: true }],
  // k3s says itself what it lacks then.
  ["login", 1000, { sudo: false, doas: false }],
])("as %s", (as, uid, allowed) => {
  for (const name of ["sudo", "doas"] as const) (allowed[name] ? becomes : refuses)(name);
  expect(run(uid)).toBe(`${as}: kubectl cordon node 1`);
});
