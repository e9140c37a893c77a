/** The command line of nixos-anywhere, one phase per process. Pure. */
export const ANYWHERE_PHASES = ["kexec", "disko", "install", "reboot"] as const;
export type AnywherePhase = (typeof ANYWHERE_PHASES)[number];

/** Options every call here may use: a nixos-anywhere whose `--help` lacks one of them is too old. */
export const NEEDED_OPTIONS = [
  "--phases",
  "--store-paths",
  "--build-on",
  "--ssh-port",
  "--post-kexec-ssh-port",
  "--extra-files",
  "--disk-encryption-keys",
  "--kexec",
] as const;

export interface AnywhereCall {
  readonly phase: AnywherePhase;
  /** Who to log in as before the installer runs; afterwards it is always root. */
  readonly user: string;
  /** Name or address to hand to ssh. */
  readonly destination: string;
  readonly port: number;
  readonly disko: string;
  readonly toplevel: string;
  /** Private key file, without passphrase. The same in every phase: each call would otherwise make its own. */
  readonly identityFile: string;
  /** Files for the new system, merged on `/`: host keys, tokens. */
  readonly extraFiles?: string;
  /** For the installer's memory: path there -> file here. */
  readonly installerFiles?: ReadonlyMap<string, string>;
  /** Tarball of the installer; absent: the one nixos-anywhere fetches. */
  readonly kexec?: string;
  readonly extraOptions?: readonly string[];
}

/**
 * Without the `kexec` phase nixos-anywhere logs in as root whatever the user says (#614), which is right: the
 * installer only has root. `--store-paths` skips evaluation and build, so every host uses what was built once.
 * The installer listens on port 22; what forwards to another port here still does: that port is tried first.
 */
export function anywhereArguments(call: AnywhereCall): readonly string[] {
  const { phase, port } = call;
  const user = phase === "kexec" ? call.user : "root";
  return [
    ...["--phases", phase],
    ...["--store-paths", call.disko, call.toplevel],
    ...["--build-on", "local"],
    ...["--ssh-port", String(port)],
    ...(phase === "kexec" ? ["--post-kexec-ssh-port", String(port)] : []),
    ...["-i", call.identityFile],
    ...(phase === "kexec" && call.kexec !== undefined ? ["--kexec", call.kexec] : []),
    ...(phase === "disko"
      ? [...(call.installerFiles ?? [])].flatMap(([remote, local]) => [
          "--disk-encryption-keys",
          remote,
          local,
        ])
      : []),
    ...(phase === "install" && call.extraFiles !== undefined ? ["--extra-files", call.extraFiles] : []),
    ...(call.extraOptions ?? []),
    `${user}@${call.destination}`,
  ];
}
