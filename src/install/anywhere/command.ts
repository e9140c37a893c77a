/** The command line of nixos-anywhere, one phase per process. Pure. */
import type { Target } from "../../transport/transport.ts";

export const ANYWHERE_PHASES = ["kexec", "disko", "install", "reboot"] as const;
export type AnywherePhase = (typeof ANYWHERE_PHASES)[number];

export interface AnywhereCall {
  readonly phase: AnywherePhase;
  readonly target: Target;
  readonly disko: string;
  readonly toplevel: string;
  /** Files for the new system, merged on `/`: host keys, tokens. */
  readonly extraFiles: string;
  /** The same key in every phase: each call would otherwise make its own, which the installer does not know. */
  readonly identityFile?: string;
  /** Tarball of the installer; absent: the one nixos-anywhere fetches. */
  readonly kexec?: string;
  readonly extraOptions?: readonly string[];
}

/**
 * Without the `kexec` phase nixos-anywhere logs in as root whatever the user says (#614), which is right: the
 * installer only has root. `--store-paths` skips evaluation and build, so every host uses what was built once.
 */
export function anywhereArguments(call: AnywhereCall): readonly string[] {
  const { target, phase } = call;
  const user = phase === "kexec" ? target.user : "root";
  const jumps = target.via.map((hop) => `${hop.user}@${hop.address}:${hop.port}`).join(",");
  return [
    "--phases",
    phase,
    "--store-paths",
    call.disko,
    call.toplevel,
    "--build-on",
    "local",
    "--ssh-port",
    String(target.port),
    ...(call.identityFile === undefined ? [] : ["-i", call.identityFile]),
    ...(jumps === "" ? [] : ["--ssh-option", `ProxyJump=${jumps}`]),
    ...(phase === "kexec" && call.kexec !== undefined ? ["--kexec", call.kexec] : []),
    ...(phase === "install" ? ["--extra-files", call.extraFiles] : []),
    ...(call.extraOptions ?? []),
    `${user}@${target.address}`,
  ];
}
