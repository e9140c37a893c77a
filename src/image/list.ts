import { execa } from "execa";
import { FleetError } from "../errors.ts";
import { type BlockDevice, devicesOf, Lsblk } from "./devices.ts";

/** The block devices of this machine; a dependency, so that tests bring their own. */
export type DeviceLister = (o: { readonly signal: AbortSignal }) => Promise<readonly BlockDevice[]>;

const COLUMNS = "PATH,SIZE,TYPE,MODEL,SERIAL,TRAN,RM,HOTPLUG,RO,FSTYPE,MOUNTPOINTS";

/** Throws `tool-missing`. */
export const listDevices: DeviceLister = async ({ signal }) => {
  const result = await execa("lsblk", ["--json", "--bytes", "--output", COLUMNS], {
    cancelSignal: signal,
    reject: false,
    stdin: "ignore",
  });
  signal.throwIfAborted();
  if (result.failed)
    throw new FleetError(
      "tool-missing",
      `this machine's disks cannot be listed: ${result.stderr || result.shortMessage}`,
      {
        hint: "lsblk (util-linux 2.37 or newer) is needed; elsewhere write the image with the system's own tool",
      },
    );
  return devicesOf(Lsblk.parse(JSON.parse(result.stdout)).blockdevices);
};
