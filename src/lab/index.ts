/** The lab as commands and tests see it. */
export { labDown } from "./down.ts";
export { defaultLabDir, labLayout } from "./layout.ts";
export { FAULT_KINDS } from "./machine/fault.ts";
export { BEHAVIOURS } from "./machine/system.ts";
export { labFault, labPowerCycle, labRelease, labStatus } from "./operate.ts";
export { labDiskoScript } from "./sim-source.ts";
export { type LabUpOptions, labUp } from "./up.ts";
