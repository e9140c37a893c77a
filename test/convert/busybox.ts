/** A host whose whole userland is BusyBox: a directory as its root, entered by chroot. Nothing else is in its PATH. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { createLocalTransport } from "../../src/transport/local.ts";
import type { Session } from "../../src/transport/transport.ts";
import { targetFor } from "../support/target.ts";

const BUSYBOX = "/bin/busybox";
// Other users get their root inside a namespace of their own.
const unshare = process.getuid?.() === 0 ? ["unshare", "-m"] : ["unshare", "-rm"];

/** Why it cannot be had here; null: it can. */
export function noBusybox(): string | null {
  if (!existsSync(BUSYBOX)) return "busybox-static is not installed";
  const [program = "", ...args] = unshare;
  const tried = spawnSync(program, [...args, "mount", "--bind", "/dev", "/dev"], { encoding: "utf8" });
  return tried.status === 0 ? null : `no mount namespaces: ${tried.stderr?.trim()}`;
}

/** Puts BusyBox below `root`, which may hold files already, and opens a session there. `tools`: where its launcher goes. */
export async function busyboxSession(root: string, tools: string): Promise<Session> {
  for (const dir of ["bin", "dev", "proc", "run", "tmp", "etc"])
    mkdirSync(join(root, dir), { recursive: true });
  await copyFile(BUSYBOX, join(root, "bin/busybox"));
  const { stdout } = spawnSync(BUSYBOX, ["--list"], { encoding: "utf8" });
  for (const applet of stdout.trim().split("\n")) {
    if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  }
  mkdirSync(tools);
  const enter =
    'mount --bind "$0" "$0" && mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec chroot "$0" /bin/sh "$@"';
  writeFileSync(
    join(tools, "sh"),
    `#!/bin/sh\nexec env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin ${unshare.join(" ")} /bin/sh -c '${enter}' '${root}' "$@"\n`,
    { mode: 0o755 },
  );
  const transport = createLocalTransport({ env: { PATH: `${tools}:${process.env.PATH}`, HOME: "/" } });
  return transport.open(targetFor({}), { signal: new AbortController().signal });
}
