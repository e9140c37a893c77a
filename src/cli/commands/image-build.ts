import { resolve } from "node:path";
import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { archOf, buildImage, imageAttribute } from "../../image/build.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  arguments: [["<kind>", "iso: an installer for any PC; sdcard: for Raspberry Pi boards"]],
  options: [
    ["--host <host>", "sdcard: one host's own system instead of an unpaired one"],
    ["--arch <arch>", "x86_64-linux or aarch64-linux"],
    ["--out-link <path>", "symlink to the result", "./image"],
  ],
  examples: ["macula-fleet image build iso", "macula-fleet image build sdcard --host pi-01"],
  schema: z.object({
    host: z.string().optional(),
    arch: z.enum(["x86_64-linux", "aarch64-linux"]).optional(),
    outLink: z.string().default("image"),
  }),
  async run(app, { args, options }) {
    const kind = z.enum(["iso", "sdcard"]).safeParse(args[0]);
    if (!kind.success)
      throw new FleetError("usage", `there is no image "${args[0]}"`, { hint: "iso or sdcard" });
    const inventory = await app.inventory();
    const host =
      options.host === undefined ? undefined : inventory.hosts.find((h) => h.name === options.host);
    if (options.host !== undefined && !host)
      throw new FleetError("limit-no-match", `the inventory has no host ${options.host}`, {
        hint: "macula-fleet inventory list",
      });
    const arch = archOf(kind.data, options.arch, host);
    const file = await buildImage({
      flake: inventory.fleet.flake,
      attribute: imageAttribute(kind.data, arch, host),
      inputs: await app.flakeInputs(inventory),
      link: resolve(app.process.cwd, options.outLink),
      cwd: inventory.baseDir,
      signal: app.signal,
      onLine: (line) => app.note(line),
    });
    if (app.format === "json" || app.format === "ndjson")
      app.json({ kind: kind.data, arch, host: host?.name ?? null, file });
    else app.print(file);
    app.note(`next: macula-fleet image write ${file} /dev/disk/by-id/usb-…`);
    return EXIT.ok;
  },
});
