/**
 * LAB STAND-IN for nixos-anywhere: `node nixos-anywhere.ts LAB_DIR ARGUMENTS…`. Same command line, same
 * `### step ###` lines, same exit behaviour, including that it waits for ever where the real one does.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import ssh2 from "ssh2";
import { connectLab, type LabControl } from "./control.ts";
import { newKeyPair, publicKeyOf } from "./keys.ts";
import { HOST_KEY_FILE } from "./machine/model.ts";
import { type AnywhereOptions, parseAnywhere } from "./nixos-anywhere-options.ts";
import { systemOfPath } from "./store/closure.ts";

const step = (text: string) => process.stdout.write(`### ${text} ###\n`);
const say = (text: string) => process.stderr.write(`${text}\n`);

class Abort extends Error {}

async function main(dir: string, words: readonly string[]): Promise<number> {
  const parsed = parseAnywhere(words);
  if (parsed.kind === "help") {
    process.stdout.write(
      "Usage: nixos-anywhere [options] [<ssh-host>]\n(lab stand-in: simulated hosts only)\n",
    );
    return 0;
  }
  if (parsed.kind === "abort") throw new Abort(parsed.message);
  say("lab: this is a stand-in for nixos-anywhere; the host is simulated");
  const lab = connectLab(dir);
  await run(lab, parsed.options);
  return 0;
}

async function run(lab: LabControl, o: AnywhereOptions): Promise<void> {
  const host = lab.lab.hosts.find((h) => h.port === o.port)?.name;
  if (!host || !["127.0.0.1", "localhost"].includes(o.address)) {
    throw new Abort(`${o.address}:${o.port} is no host of this lab`);
  }
  for (const path of o.storePaths ? [o.storePaths.disko, o.storePaths.toplevel] : []) {
    if (!path.startsWith("/nix/store/") && !existsSync(path))
      throw new Abort(`store path ${path} does not exist`);
  }
  if (o.storePaths && o.phases.includes("install") && !systemOfPath(o.storePaths.toplevel)) {
    throw new Abort(`${o.storePaths.toplevel} was not built by this lab's flake`);
  }
  const files = withHostKey(o.extraFiles ? readExtraFiles(o.extraFiles) : {}, o);

  step("Uploading install SSH keys");
  await untilLogin(o);
  step("Gathering machine facts");
  if (o.phases.includes("kexec")) await kexec(lab, host, o);
  if (o.phases.includes("disko") && o.storePaths) {
    step("Formatting hard drive with disko");
    await delay(100);
    await lab.install(host, { step: "disko", script: o.storePaths.disko });
  }
  if (o.phases.includes("install") && o.storePaths) {
    step("Uploading the system closure");
    await delay(100);
    if (o.extraFiles) step("Copying extra files");
    step("Installing NixOS");
    await lab.install(host, { step: "install", toplevel: o.storePaths.toplevel, files });
    process.stdout.write("installation finished!\n");
  }
  if (o.phases.includes("reboot")) {
    step("Rebooting");
    await lab.install(host, { step: "reboot" });
    step("Waiting for the machine to become unreachable due to reboot");
    while ((await lab.host(host)).reachable && (await lab.host(host)).runs === "installer") await delay(100);
  }
  step("Done!");
}

async function kexec(lab: LabControl, host: string, o: AnywhereOptions): Promise<void> {
  if ((await lab.host(host)).runs === "installer") return;
  step("Switching system into kexec");
  process.stdout.write("machine will boot into nixos in 6s...\n");
  await lab.install(host, { step: "kexec" });
  await untilLogin(o);
  step("Gathering machine facts");
  if ((await lab.host(host)).runs !== "installer") throw new Abort("Failed to kexec into NixOS installer");
}

/** `ssh-copy-id` in a loop without end, as the real program does: give it a deadline from outside. */
async function untilLogin(o: AnywhereOptions): Promise<void> {
  for (;;) {
    const problem = await login(o);
    if (problem === null) return;
    say(`ssh: ${o.user}@${o.address}:${o.port}: ${problem}`);
    await delay(250);
  }
}

/** Host keys are not checked, as by the real program. */
function login(o: AnywhereOptions): Promise<string | null> {
  const key = o.identity ? { privateKey: readFileSync(o.identity) } : {};
  return new Promise((resolve) => {
    const client = new ssh2.Client();
    client.once("ready", () => {
      client.end();
      resolve(null);
    });
    client.once("error", (error) => resolve(error.message));
    client.connect({ host: o.address, port: o.port, username: o.user, readyTimeout: 10_000, ...key });
  });
}

function readExtraFiles(dir: string): Record<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name));
  return Object.fromEntries(
    files.map((file) => [file.slice(dir.replace(/\/+$/, "").length), readFileSync(file, "utf8")]),
  );
}

/** A new system makes itself new host keys unless it is given some, or the installer's are copied. */
function withHostKey(files: Record<string, string>, o: AnywhereOptions): Record<string, string> {
  const secret = files[HOST_KEY_FILE];
  if (secret !== undefined) return { ...files, [`${HOST_KEY_FILE}.pub`]: publicKeyOf(secret) };
  if (o.copyHostKeys) return files;
  const made = newKeyPair("made at first boot (lab)");
  return { ...files, [HOST_KEY_FILE]: made.private, [`${HOST_KEY_FILE}.pub`]: made.public };
}

try {
  process.exitCode = await main(argv[2] ?? "", argv.slice(3));
} catch (error) {
  say(
    error instanceof Abort
      ? `aborted: ${error.message}`
      : `lab: ${error instanceof Error ? error.message : error}`,
  );
  process.exitCode = 1;
}
