/** The commands of a backup on the host, as data. */
import { readFileSync } from "node:fs";
import { type Command, quote, withParameters } from "../../kernel/shell.ts";
import { NESTED, ROOT_SHELL } from "../survey.ts";

const script = NESTED + readFileSync(new URL("./manifest.sh", import.meta.url), "utf8");

export interface Where {
  /** Directory the paths are below: `/`, or `/mnt` in an installer. */
  readonly base: string;
  /** Absolute below `base`; `*` stands for anything but a slash. */
  readonly paths: readonly string[];
  /** Refuses to list or copy when another file system is mounted below them: nothing of it would be there. */
  readonly strict?: boolean;
}

const run = (mode: "list" | "archive", { base, paths, strict = false }: Where, label: string): Command => ({
  line: ROOT_SHELL,
  stdin: withParameters(script, {
    MODE: mode,
    BASE: base,
    STRICT: strict,
    PATHS: paths.map(quote).join(" "),
  }),
  label,
});

export const listCommand = (where: Where): Command => run("list", where, "manifest");
export const archiveCommand = (where: Where): Command => run("archive", where, "archive");

/**
 * Unpacks stdin below `base`, owners, modes, ACLs and attributes as they were. The stream is stdin, so the script is
 * argv; there is nothing secret in it.
 */
export function unpackCommand(base: string, stream: AsyncIterable<Uint8Array>): Command {
  const script = [
    "LC_ALL=C; PATH=$PATH:/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH",
    `cd ${quote(base)} || exit 1`,
    "attributes=; [ \"$(tar --help 2>/dev/null | grep -c -e --acls)\" = 0 ] || attributes='--acls --xattrs --xattrs-include=*'",
    "set -f; exec tar --extract --file=- --preserve-permissions --same-owner --numeric-owner $attributes",
  ].join("; ");
  return {
    line: `as=; [ "$(id -u)" = 0 ] || as="sudo -n"; $as sh -c ${quote(script)}`,
    stdin: stream,
    label: "unpack",
  };
}
