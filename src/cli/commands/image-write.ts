import { resolve } from "node:path";
import { z } from "zod";
import { EXIT } from "../../errors.ts";
import { listDevices } from "../../image/list.ts";
import { writeImage } from "../../image/write.ts";
import { bytes } from "../../ui/view/format.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [
    ["<image>", "the image file; .zst and .gz are unpacked on the way"],
    ["<device>", "a removable disk, best /dev/disk/by-id/usb-…"],
  ],
  examples: [
    "macula-fleet image write image/iso/maculaos-installer.iso /dev/disk/by-id/usb-SanDisk_Ultra-0:0",
  ],
  schema: z.object({}),
  async run(app, { args }) {
    const [image = "", device = ""] = args;
    let shown = -1;
    const written = await writeImage({
      image: resolve(app.process.cwd, image),
      device: resolve(app.process.cwd, device),
      list: listDevices,
      signal: app.signal,
      confirm: (text) => app.confirm(`${text} Write ${image} to it?`),
      onProgress: (phase, done, total) => {
        const tenth = Math.floor((done / Math.max(1, total)) * 10);
        if (tenth === shown) return;
        shown = tenth;
        app.note(`${phase} ${tenth * 10} % of ${bytes(total)}`);
      },
    });
    if (written === null) return EXIT.error;
    if (app.format === "json" || app.format === "ndjson") app.json({ device, ...written });
    else app.print(`${device} holds ${image}: ${bytes(written.bytes)}, read back, sha256 ${written.sha256}`);
    return EXIT.ok;
  },
});
