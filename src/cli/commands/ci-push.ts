import { z } from "zod";
import { EXIT, FleetError } from "../../errors.ts";
import { signedCache } from "../../nix/cache-url.ts";
import { buildChanged, CI_OPTIONS, CiOptions, ciSentence, ciSummary } from "../ci.ts";
import { nextKnown, writePublished } from "../ci-publish.ts";
import { defineCommand } from "../command.ts";
import { isMachine, noteLab } from "../hosts.ts";

export const command = defineCommand({
  arguments: [["[hosts...]", "host names or --limit patterns; default: all"]],
  options: [
    ...CI_OPTIONS,
    ["--cache <url>", "binary cache (s3://…, file://…)"],
    ["--key <file>", "private key that signs (nix-store --generate-binary-cache-key)"],
    ["--targets <dir>", "write DIR/HOST, where hosts that pull look for their system"],
  ],
  examples: [
    "macula-fleet ci push --known systems.json --cache s3://fleet-cache --key cache.key",
    "macula-fleet ci push --since HEAD~1 --cache file:///srv/cache --key cache.key -o json",
  ],
  schema: CiOptions.extend({
    cache: z.string().optional(),
    key: z.string().optional(),
    targets: z.string().optional(),
  }),
  async run(app, { args, options }) {
    if (options.cache === undefined) {
      throw new FleetError("usage", "ci push needs to know the cache", {
        hint: "add --cache URL, for instance --cache s3://fleet-cache",
      });
    }
    // Before an hour of building, not after it.
    const url = signedCache(options.cache, options.key);
    const built = await buildChanged(app, args, options);
    const toplevels = built.systems.map((s) => s.toplevel);
    if (toplevels.length > 0) await built.source.push(url, toplevels, { signal: app.signal });
    // Only now: a push that failed must be tried again by the next run.
    if (options.targets !== undefined) {
      const pulling = built.hosts.filter((h) => h.connect === "pull");
      for (const { name } of pulling) {
        const toplevel = built.now.get(name);
        if (toplevel !== undefined) await writePublished(`${options.targets}/${name}`, `${toplevel}\n`);
      }
    }
    if (options.known !== undefined) {
      await writePublished(options.known, `${JSON.stringify(nextKnown(built), null, 2)}\n`);
    }
    if (isMachine(app)) app.print(JSON.stringify({ ...ciSummary(built), pushed: toplevels }));
    else {
      noteLab(app, built.inventory);
      for (const toplevel of toplevels) app.print(toplevel);
      app.note(`${ciSentence(built)}; ${toplevels.length} pushed`);
    }
    return EXIT.ok;
  },
});
