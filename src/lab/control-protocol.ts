/** What the control channel of a lab carries, both ways. [pure] */
import { z } from "zod";
import { FAULT_KINDS } from "./machine/fault.ts";

export const HostReport = z.object({
  name: z.string(),
  port: z.number(),
  role: z.string(),
  site: z.string(),
  power: z.enum(["on", "off", "booting", "hung"]),
  /** `installer` while it waits to be installed. */
  runs: z.enum(["system", "installer", "nothing"]),
  current: z.string(),
  profile: z.string(),
  bootDefault: z.string(),
  reachable: z.boolean(),
  faults: z.array(z.enum(FAULT_KINDS)),
  hostKey: z.string(),
  mnt: z.enum(["none", "formatted", "installed"]),
  /** Revert timers that are running. */
  armed: z.array(z.string()),
  /** Run -> what the host wrote down about it. */
  logs: z.record(z.string(), z.array(z.string())),
});
export type HostReport = z.infer<typeof HostReport>;

export const LabReport = z.object({
  simulated: z.literal(true),
  pid: z.number(),
  head: z.string(),
  hosts: z.array(HostReport),
});
export type LabReport = z.infer<typeof LabReport>;

export const FaultRequest = z.strictObject({ faults: z.array(z.enum(FAULT_KINDS)) });
export const StopRequest = z.strictObject({ keep: z.boolean() });

/** What the stand-in for nixos-anywhere asks for, phase by phase. */
export const InstallStep = z.discriminatedUnion("step", [
  z.strictObject({ step: z.literal("kexec") }),
  z.strictObject({ step: z.literal("disko"), script: z.string() }),
  z.strictObject({
    step: z.literal("install"),
    toplevel: z.string(),
    /** Absolute path on the new system -> content. */
    files: z.record(z.string(), z.string()),
  }),
  z.strictObject({ step: z.literal("reboot") }),
]);
export type InstallStep = z.infer<typeof InstallStep>;
