/** Asking a node, once, what a conversion has to know; read-only. */
import { readFileSync } from "node:fs";
import { FleetError } from "../errors.ts";
import { type Command, quote, withParameters } from "../kernel/shell.ts";
import type { Session } from "../transport/transport.ts";
import { archivedPaths } from "./keep.ts";

const file = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
/** Finds file systems mounted below what is copied. */
export const NESTED = file("./nested.sh");
const script = NESTED + file("./survey.sh");

export interface Survey {
  readonly os: string;
  readonly root: boolean;
  readonly tar: "gnu" | "busybox" | "other";
  /** tar keeps ACLs and extended attributes. */
  readonly acls: boolean;
  readonly setsidWait: boolean;
  readonly luks: boolean;
  /** KiB free in the login's home: the installer is unpacked there. */
  readonly homeFree: number;
  readonly role: "server" | "agent" | "none";
  readonly datastore: "sqlite" | "etcd" | "external" | "none";
  readonly version: string | null;
  readonly token: boolean;
  /** An Ed25519 host key to stay recognisable by. */
  readonly hostKey: boolean;
  /** Where other file systems are mounted below what would be copied. */
  readonly mounts: readonly string[];
  /** KiB by pattern of `KEEP`. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** Becomes root where that needs no password. Everything but this line travels over stdin. */
export const ROOT_SHELL = `if [ "$(id -u)" = 0 ]; then exec sh -s; elif sudo -n true 2>/dev/null </dev/null; then exec sudo -n sh -s; elif doas -n true 2>/dev/null </dev/null; then exec doas -n sh -s; else exec sh -s; fi`;

export function surveyCommand(): Command {
  return {
    line: ROOT_SHELL,
    stdin: withParameters(script, { PATHS: archivedPaths().map(quote).join(" ") }),
    label: "survey",
  };
}

/** Throws host-protocol when the answer was cut short. */
export async function survey(session: Session, signal: AbortSignal): Promise<Survey> {
  const result = await session.run(surveyCommand(), { signal, timeoutMs: 600_000 });
  return parseSurvey(result.stdout, result.stderr);
}

export function parseSurvey(stdout: string, stderr = ""): Survey {
  const lines = stdout.trim().split("\n");
  if (lines.at(-1) !== "END")
    throw new FleetError("host-protocol", `looking at the node ended early: ${stderr.trim().slice(0, 200)}`);
  const said = new Map<string, string>();
  const sizes: Record<string, number> = {};
  const mounts: string[] = [];
  for (const line of lines) {
    const [key = "", ...rest] = line.split(" ");
    if (key === "size") sizes[rest.slice(1).join(" ")] = Number(rest[0]);
    else if (key === "mount") mounts.push(rest.join(" "));
    else said.set(key, rest.join(" ").trim());
  }
  const one = <T extends string>(key: string, allowed: readonly T[], fallback: T): T =>
    allowed.find((a) => a === said.get(key)) ?? fallback;
  return {
    os: said.get("os") ?? "",
    root: said.get("root") === "1",
    tar: one("tar", ["gnu", "busybox", "other"], "other"),
    acls: said.get("acls") === "1",
    setsidWait: said.get("setsid-wait") === "1",
    luks: said.get("luks") === "1",
    homeFree: Number(said.get("home-free") ?? 0),
    role: one("role", ["server", "agent", "none"], "none"),
    datastore: one("datastore", ["sqlite", "etcd", "external", "none"], "none"),
    version: said.get("version") || null,
    token: said.get("token") === "1",
    hostKey: said.get("hostkey") === "1",
    mounts,
    sizes,
  };
}
