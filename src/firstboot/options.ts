import { parseArgs } from "node:util";
import { z } from "zod";
import { FleetError } from "../errors.ts";
import { parseDuration } from "../inventory/duration.ts";

const Options = z.object({
  port: z.coerce.number("must be a number").int().min(0).max(65_535).default(80),
  host: z.string().min(1).default("::"),
  force: z.boolean().default(false),
  portal: z.string().default("https://macula.io").transform(portalUrl),
  "state-dir": z.string().startsWith("/", "must be an absolute path").default("/var/lib/maculaos"),
  timeout: z.string().default("30m").transform(milliseconds),
  reboot: z.boolean().default(true),
  help: z.boolean().default(false),
});
export type FirstbootOptions = z.output<typeof Options>;

export const USAGE = `macula-firstboot: pair a new machine from a browser on its network.

  -port N          port of the page (80)
  -host ADDRESS    address to listen on (all; only neighbours are answered)
  -portal URL      portal to pair with (https://macula.io)
  -state-dir DIR   where pairing is kept (/var/lib/maculaos)
  -timeout TIME    stop offering pairing after this long (30m)
  -force           run even when the machine is paired
  -no-reboot       do not restart the machine when paired

Every option may begin with one hyphen or two.
`;

/** Reads the command line; `-port 80` is as good as `--port=80`. Throws `usage`. */
export function readOptions(argv: readonly string[]): FirstbootOptions {
  const args = argv.map((word) => word.replace(/^-(?=[a-z]{2,})/, "--"));
  try {
    const { values } = parseArgs({
      args,
      allowNegative: true,
      options: {
        port: { type: "string" },
        host: { type: "string" },
        force: { type: "boolean" },
        portal: { type: "string" },
        "state-dir": { type: "string" },
        timeout: { type: "string" },
        reboot: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    return Options.parse(values);
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? error.issues.map((issue) => `-${issue.path.join(".")} ${issue.message}`).join("; ")
        : error instanceof Error
          ? error.message
          : String(error);
    throw new FleetError("usage", why, { hint: "macula-firstboot -help" });
  }
}

function portalUrl(text: string, context: z.RefinementCtx): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  const loopback = url !== null && ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url !== null && (url.protocol === "https:" || (url.protocol === "http:" && loopback))) return url;
  context.addIssue({ code: "custom", message: "must be an https:// address: a token comes back from it" });
  return z.NEVER;
}

/** `30m`, and systemd's `30min`, which the machine's configuration speaks. */
function milliseconds(text: string, context: z.RefinementCtx): number {
  const ms = parseDuration(text.replace(/min$/, "m"));
  if (ms !== undefined && ms > 0) return ms;
  context.addIssue({ code: "custom", message: `"${text}" is not a time such as 30m` });
  return z.NEVER;
}
