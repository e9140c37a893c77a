import { z } from "zod";
import type { App } from "../../app.ts";
import { EXIT, type ExitCode } from "../../errors.ts";
import { Duration } from "../../globals.ts";
import { createPaint } from "../../ui/paint.ts";
import { names, plural } from "../../ui/view/format.ts";
import { bad, dim, good, line, strong } from "../../ui/view/line.ts";
import { clean } from "../../ui/view/width.ts";
import { defineCommand } from "../command.ts";
import {
  exitOfHosts,
  type HostResult,
  isMachine,
  noteFailures,
  noteLab,
  onEach,
  pickHosts,
  printResults,
} from "../hosts.ts";
import { remoteCommand } from "../remote-command.ts";

interface Said {
  /** null: a signal ended it. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const command = defineCommand({
  arguments: [["<command...>", "after --: words are passed as they are; a single one may be a shell line"]],
  options: [
    ["--root", "as root, through sudo or doas where the login is another user"],
    ["--stream", "print lines as they come, each with its host, instead of grouped at the end"],
    ["--deadline <duration>", "give a host up after this long", "5m"],
  ],
  examples: [
    "macula-fleet exec -- uptime",
    "macula-fleet exec --limit role=gateway --root -- systemctl restart macula.service",
    "macula-fleet exec -l site=gent -- 'df -h / | tail -n 1'",
  ],
  schema: z.object({
    root: z.boolean().default(false),
    stream: z.boolean().default(false),
    deadline: Duration.default(300_000),
  }),
  async run(app, { args, options }) {
    const inventory = await app.inventory();
    const store = await app.store(inventory);
    const hosts = await pickHosts(app, inventory, store);
    const remote = await app.remote(inventory);
    const machine = isMachine(app);
    noteLab(app, inventory);
    const paint = createPaint(app.color);
    const width = Math.max(...hosts.map((h) => h.name.length));
    const results = await onEach(
      app,
      hosts,
      async (host): Promise<Said> => {
        await using session = await remote.pool.session(remote.targetOf(host), app.signal);
        const { code, stdout, stderr } = await session.run(remoteCommand(args, host, options.root), {
          signal: app.signal,
          timeoutMs: options.deadline,
          ...(options.stream && !machine
            ? {
                onLine: (text: string) => app.print(paint(line(dim(`${host.name.padEnd(width)} | `), text))),
              }
            : {}),
        });
        return { exit: code, stdout, stderr };
      },
      { onResult: (result) => app.format === "ndjson" && printResults(app, [result]) },
    );
    if (app.format === "json") printResults(app, results);
    else if (!machine && !options.stream) printFolded(app, results);
    noteFailures(app, results);
    return verdict(app, results);
  },
});

/** The same answer from many hosts is printed once. */
function printFolded(app: App, results: readonly HostResult<Said>[]): void {
  const paint = createPaint(app.color);
  const answers = results.flatMap((r) => (r.ok ? [{ host: r.host, ...r.value }] : []));
  const groups = Map.groupBy(answers, ({ exit, stdout, stderr }) => JSON.stringify([exit, stdout, stderr]));
  for (const same of groups.values()) {
    const [first] = same;
    if (!first) continue;
    const who = names(
      same.map((a) => a.host),
      app.globals.verbose ? Number.POSITIVE_INFINITY : 8,
    );
    const count = same.length > 1 ? ` (${plural(same.length, "host")})` : "";
    const status =
      first.exit === 0 ? good("exit 0") : bad(first.exit === null ? "killed" : `exit ${first.exit}`);
    app.print(paint(line(strong(who), dim(`${count}: `), status)));
    for (const text of linesOf(first.stdout)) app.print(`  ${clean(text)}`);
    for (const text of linesOf(first.stderr)) app.print(paint(line("  ", dim("stderr: "), text)));
  }
}

const linesOf = (text: string): readonly string[] => {
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.length === 1 && lines[0] === "" ? [] : lines;
};

/** A command that did not exit 0 is a failed host, worse than one out of reach. */
function verdict(app: App, results: readonly HostResult<Said>[]): ExitCode {
  const failed = results.filter((r) => r.ok && r.value.exit !== 0).length;
  if (failed > 0 && !isMachine(app)) app.note(`failed on ${failed} of ${plural(results.length, "host")}`);
  return failed > 0 ? EXIT.hostsFailed : exitOfHosts(results);
}
