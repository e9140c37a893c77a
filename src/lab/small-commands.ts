/** The few harmless commands a lab host knows, for `macula-fleet exec` and for people. [pure] */
import { type Machine, profilePath } from "./machine/model.ts";

interface Answer {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Small = (args: readonly string[], m: Machine, now: number) => string | null;

const up = (m: Machine, now: number): string => {
  const seconds = m.power.kind === "on" ? Math.max(0, Math.round((now - m.power.since) / 1000)) : 0;
  return `up ${seconds} seconds, 0 users (lab: simulated)\n`;
};

const LINKS: Readonly<Record<string, (m: Machine) => string>> = {
  "/run/current-system": (m) => m.memory?.current ?? "",
  "/run/booted-system": (m) => m.memory?.booted ?? "",
  "/nix/var/nix/profiles/system": (m) => profilePath(m.disk),
};

const readlink: Small = (args, m) => {
  const path = args.filter((a) => a !== "-f");
  const link = path.length === 1 ? LINKS[path[0] ?? ""] : undefined;
  return link ? `${link(m)}\n` : null;
};

const version = (m: Machine): string => m.disk.store[m.memory?.current ?? ""]?.system?.version ?? "26.05.lab";

const osRelease = (m: Machine): string =>
  `ID=nixos\nNAME="NixOS"\nVARIANT_ID=lab\nVERSION_ID="${version(m)}"\nPRETTY_NAME="NixOS ${version(m)} (macula-fleet lab, simulated)"\n`;

const COMMANDS: Readonly<Record<string, Small>> = {
  true: (args) => (args.length === 0 ? "" : null),
  hostname: (args, m) => (args.length === 0 ? `${m.name}\n` : null),
  echo: (args) => `${args.join(" ")}\n`,
  uptime: (_args, m, now) => up(m, now),
  "nixos-version": (args, m) => (args.length === 0 ? `${version(m)}\n` : null),
  uname: (args, m) => {
    const kernel = m.disk.store[m.memory?.booted ?? ""]?.system?.kernel ?? "6.12.58";
    if (args.join(" ") === "-a") return `Linux ${m.name} ${kernel} #1-NixOS lab ${m.arch} GNU/Linux\n`;
    return args.join(" ") === "-r" ? `${kernel}\n` : null;
  },
  cat: (args, m) => (args.join(" ") === "/etc/os-release" ? osRelease(m) : null),
  readlink,
  systemctl: (args, m) => {
    const failed = m.memory?.failedUnits ?? [];
    if (args.join(" ") === "--failed") return `${failed.join("\n")}\n${failed.length} units listed.\n`;
    return args.join(" ") === "is-system-running"
      ? `${failed.length === 0 ? "running" : "degraded"}\n`
      : null;
  },
};

/** Null for anything that is not one of them. */
export function smallCommand(line: string, m: Machine, now: number): Answer | null {
  const all = splitWords(line);
  if (!all) return null;
  const words = (all[0] === "sudo" || all[0] === "doas") && all[1] === "-n" ? all.slice(2) : all;
  if (words[0] === "sh" && words[1] === "-c" && words.length === 3)
    return smallCommand(words[2] ?? "", m, now);
  if (words.length === 1 && words[0] === "false") return { exit: 1, stdout: "", stderr: "" };
  const name = words[0] ?? "";
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  const stdout = command?.(words.slice(1), m, now) ?? null;
  return stdout === null ? null : { exit: 0, stdout, stderr: "" };
}

/** Words of one simple command; null when the line has anything a shell would interpret. */
function splitWords(line: string): readonly string[] | null {
  const words: string[] = [];
  const word = /\s*((?:[^\s'"\\$`;&|<>()*?#~{}[\]!\n]|'[^']*'|\\'|"[^"$`\\]*")+)/y;
  const text = line.trim();
  while (word.lastIndex < text.length) {
    const match = word.exec(text);
    if (!match?.[1]) return null;
    words.push(
      match[1].replace(/'([^']*)'|"([^"]*)"|\\'/g, (all, a, b) => (all === "\\'" ? "'" : (a ?? b ?? ""))),
    );
  }
  return words.length > 0 ? words : null;
}
