import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { EXIT, type ExitCode, FleetError } from "../../errors.ts";
import { selectHosts } from "../../inventory/select.ts";
import { targetOf } from "../../inventory/target.ts";
import { quote } from "../../kernel/shell.ts";
import { temporaryDirectory } from "../../kernel/temporary.ts";
import { defineCommand } from "../command.ts";
import { noteLab } from "../hosts.ts";
import { pinnedKeys, sshArguments } from "../ssh-arguments.ts";

/** What `ssh` says of its own failures, as opposed to the remote command's. */
const SSH_FAILED = 255;

export const command = defineCommand({
  arguments: [
    ["<host>", "host name"],
    ["[command...]", "after --: run this instead of a shell; its exit status becomes ours"],
  ],
  options: [["--print", "only print the ssh command"]],
  examples: ["macula-fleet ssh node-03", "macula-fleet ssh node-03 -- journalctl -b -p err"],
  schema: z.object({ print: z.boolean().default(false) }),
  async run(app, { args, options }) {
    const [name = "", ...words] = args;
    const inventory = await app.inventory();
    const [host, another] = selectHosts(inventory, name);
    if (!host || another) {
      throw new FleetError("usage", `"${name}" means several hosts`, {
        hint: `ssh goes to one; many at once: macula-fleet exec --limit '${name}' -- COMMAND`,
      });
    }
    const target = targetOf(host, inventory);
    const keys = pinnedKeys(target);
    const dir = keys === "" ? null : await temporaryDirectory("macula-fleet-ssh-");
    try {
      const pinned = dir === null ? undefined : join(dir, "known_hosts");
      if (pinned !== undefined) await writeFile(pinned, keys, { mode: 0o600 });
      const line = [...sshArguments(target, pinned === undefined ? {} : { pinned }), ...words];
      if (options.print) {
        app.print(["ssh", ...line].map(quote).join(" "));
        return EXIT.ok;
      }
      noteLab(app, inventory);
      return await runSsh(line);
    } finally {
      if (dir !== null && !options.print) await rm(dir, { recursive: true, force: true });
    }
  },
});

async function runSsh(line: readonly string[]): Promise<ExitCode> {
  const result = await execa("ssh", line, { stdio: "inherit", reject: false });
  if (result.code === "ENOENT") {
    throw new FleetError("tool-missing", "there is no ssh on this machine", {
      hint: "install OpenSSH's client; macula-fleet exec works without it",
    });
  }
  if (result.exitCode === SSH_FAILED) return EXIT.hostsDeferred;
  // The remote command's own status, as everybody expects of ssh.
  return (result.exitCode ?? EXIT.interrupted) as ExitCode;
}
