/** What one machine's nixos-anywhere processes need on disk: the `ssh` in front, its configuration, a key. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import ssh2 from "ssh2";
import { FleetError } from "../../errors.ts";
import { newKeyPair } from "../../transport/key-pair.ts";
import { findProgram } from "./find-program.ts";
import { firstOptions, type Route, routeFiles, shimScript } from "./ssh-shim.ts";

export interface Shim {
  /** PATH with our `ssh` in front. */
  readonly path: string;
  /** Private key file without passphrase, the same for all phases. */
  readonly identityFile: string;
}

/** Below `dir`, which is made 0700. Throws `tool-missing` when there is no ssh. */
export async function writeShim(dir: string, route: Route, pathVariable: string | undefined): Promise<Shim> {
  const ssh = findProgram("ssh", pathVariable);
  if (ssh === null)
    throw new FleetError("tool-missing", "ssh is not on this machine; nixos-anywhere needs it", {
      hint: "install the OpenSSH client",
    });
  const bin = join(dir, "bin");
  await mkdir(bin, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  const [config, knownHosts] = [join(dir, "ssh_config"), join(dir, "known_hosts")];
  const files = routeFiles(route, knownHosts);
  await writeFile(config, files.config, { mode: 0o600 });
  await writeFile(knownHosts, files.knownHosts, { mode: 0o600 });
  await writeFile(join(bin, "ssh"), shimScript(ssh, config, firstOptions(route, knownHosts)), {
    mode: 0o700,
  });
  return {
    path: [bin, ...(pathVariable === undefined ? [] : [pathVariable])].join(delimiter),
    identityFile: await plainKey(dir, route.target.identityFile),
  };
}

/**
 * nixos-anywhere reads the key file itself, so it must be one without passphrase. Where the operator's is not (or lies
 * in an agent), a key of this run's own is handed out; ssh-copy-id installs it by logging in with the operator's.
 */
async function plainKey(dir: string, stated: string | undefined): Promise<string> {
  if (stated !== undefined) {
    const text = await readFile(stated, "utf8").catch(() => "");
    if (text !== "" && /PRIVATE KEY/.test(text) && !(ssh2.utils.parseKey(text) instanceof Error))
      return stated;
  }
  const file = join(dir, "id_run");
  const made = newKeyPair("macula-fleet install");
  await writeFile(file, made.private, { mode: 0o600 });
  await writeFile(`${file}.pub`, `${made.public}\n`);
  return file;
}
