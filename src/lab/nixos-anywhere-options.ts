/** The command line of nixos-anywhere, as far as a lab can honour it. [pure] */

export const PHASES = ["kexec", "disko", "install", "reboot"] as const;
export type Phase = (typeof PHASES)[number];

export interface AnywhereOptions {
  readonly user: string;
  readonly address: string;
  readonly port: number;
  readonly identity: string | null;
  readonly phases: readonly Phase[];
  readonly storePaths: { readonly disko: string; readonly toplevel: string } | null;
  readonly extraFiles: string | null;
  readonly copyHostKeys: boolean;
}

/** `abort`: what the real program says after `aborted: ` on stderr before it exits 1. */
export type ParsedAnywhere =
  | { readonly kind: "help" }
  | { readonly kind: "abort"; readonly message: string }
  | { readonly kind: "run"; readonly options: AnywhereOptions };

/** Options that take that many values and mean nothing in a lab. */
const IGNORED: Readonly<Record<string, number>> = {
  "--ssh-option": 1,
  "--post-kexec-ssh-port": 1,
  "--kexec": 1,
  "--kexec-extra-flags": 1,
  "--build-on": 1,
  "--option": 2,
  "--chown": 2,
  "--disk-encryption-keys": 2,
  "--no-disko-deps": 0,
  "--no-substitute-on-destination": 0,
  "--no-use-machine-substituters": 0,
  "--debug": 0,
  "--print-build-logs": 0,
  "-L": 0,
};

export function parseAnywhere(argv: readonly string[]): ParsedAnywhere {
  const abort = (message: string): ParsedAnywhere => ({ kind: "abort", message });
  const rest = [...argv];
  let target: string | null = null;
  let port = 22;
  let identity: string | null = null;
  let phases: readonly Phase[] = PHASES;
  let storePaths: AnywhereOptions["storePaths"] = null;
  let extraFiles: string | null = null;
  let copyHostKeys = false;

  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const ignored = IGNORED[word];
    if (ignored !== undefined) {
      rest.splice(0, ignored);
      continue;
    }
    switch (word) {
      case "--copy-host-keys":
        copyHostKeys = true;
        break;
      case "--help":
        return { kind: "help" };
      case "-i":
        identity = rest.shift() ?? null;
        break;
      case "-p":
      case "--ssh-port":
        port = Number(rest.shift());
        break;
      case "--target-host":
        target = rest.shift() ?? null;
        break;
      case "--extra-files":
        extraFiles = rest.shift() ?? null;
        break;
      case "-s":
      case "--store-paths": {
        const [disko, toplevel] = rest.splice(0, 2);
        if (!disko || !toplevel) return abort("--store-paths needs the disko script and the system");
        storePaths = { disko, toplevel };
        break;
      }
      case "--phases": {
        const names = (rest.shift() ?? "").split(",");
        const unknown = names.find((n) => !PHASES.some((p) => p === n));
        if (unknown !== undefined) return abort(`Unknown phase: ${unknown}`);
        phases = PHASES.filter((p) => names.includes(p));
        break;
      }
      case "-f":
      case "--flake":
        return abort("a lab builds nothing: give --store-paths");
      default:
        if (word.startsWith("-")) return abort(`Unknown argument: ${word}`);
        target = word;
    }
  }
  if (!target) return abort("ssh-host must be set");
  if (!Number.isInteger(port)) return abort("the ssh port is not a number");
  const needsPaths = phases.includes("disko") || phases.includes("install");
  if (needsPaths && !storePaths) return abort("--store-paths must be set");
  const [user, address] = target.includes("@") ? target.split("@", 2) : ["root", target];
  return {
    kind: "run",
    options: {
      user: user ?? "root",
      address: address ?? "",
      port,
      identity,
      phases,
      storePaths,
      extraFiles,
      copyHostKeys,
    },
  };
}
