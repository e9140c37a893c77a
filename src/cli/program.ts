/** argv -> one command. Only the named command's module is loaded; help for everything needs none. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Command, CommanderError, Option } from "commander";
import type { Process } from "../app.ts";
import { EXIT, type ExitCode, FleetError } from "../errors.ts";
import { didYouMean } from "../inventory/similar.ts";
import { CATALOG } from "./catalog.ts";
import type { CatalogEntry, CommandSpec } from "./command.ts";
import { VERSION } from "./version.ts";

type Chosen = { entry: CatalogEntry; args: readonly string[]; options: Record<string, unknown> };

export async function runCli(argv: readonly string[], process: Process): Promise<ExitCode> {
  if (argv[0] === "complete") return complete(argv.slice(1), process);
  const entry = findEntry(argv);
  const loaded = entry ? (await entry.load()).command : null;
  const chosen: Chosen[] = [];
  const program = buildProgram(process, entry, loaded, (choice) => chosen.push(choice));
  if (argv.length === 0) {
    program.outputHelp();
    return EXIT.ok;
  }
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.ok;
    // A group without its command has printed its help.
    if (error.code === "commander.help") return EXIT.usage;
    throw misuse(error.message, entry);
  }
  const [choice] = chosen;
  if (!choice || !loaded) return EXIT.usage;
  refuseMisspelt(choice, process);
  const { execute } = await import("./execute.ts");
  return execute(process, loaded, choice);
}

/** commander's words as one of our errors, so that they look the same and are data with `-o json`. */
function misuse(text: string, entry: CatalogEntry | null): FleetError {
  const [message = "", ...more] = text.replace(/^error: /, "").split("\n");
  const suggestion = more
    .join(" ")
    .trim()
    .replace(/^\((.*)\)$/, "$1");
  const help = `macula-fleet ${entry ? `${entry.path} ` : ""}--help`;
  return new FleetError("usage", message, { hint: suggestion === "" ? help : suggestion });
}

/** `rollout stauts` would be a rollout of the inventory `stauts`. */
function refuseMisspelt({ entry, args: [first] }: Chosen, process: Process): void {
  const prefix = `${entry.path} `;
  const children = CATALOG.flatMap((e) => (e.path.startsWith(prefix) ? [e.path.slice(prefix.length)] : []));
  if (first === undefined || children.length === 0 || existsSync(resolve(process.cwd, first))) return;
  const meant = didYouMean(first, children);
  if (meant === undefined) return;
  throw new FleetError("usage", `unknown command '${prefix}${first}'`, {
    hint: `Did you mean ${prefix}${meant}?`,
  });
}

/** All commands by name and summary; `entry` also with what is known of it once it is `loaded`. */
function buildProgram(
  process: Process,
  entry: CatalogEntry | null = null,
  loaded: CommandSpec | null = null,
  choose: (chosen: Chosen) => void = () => undefined,
): Command {
  const program = base(process);
  const groups = new Map<string, Command>();
  for (const item of CATALOG) {
    const leaf = place(program, groups, item);
    if (item !== entry || !loaded) continue;
    describe(leaf, loaded);
    leaf.action((...given: unknown[]) => {
      const command = given.at(-1) as Command;
      choose({
        entry: item,
        args: command.processedArgs.flat().filter((a) => a !== undefined) as string[],
        options: command.optsWithGlobals(),
      });
    });
  }
  return program;
}

/** What the shell asks at every TAB: `complete -- WORDS`. Says nothing rather than something wrong, and never fails. */
async function complete(argv: readonly string[], process: Process): Promise<ExitCode> {
  try {
    const words = argv[0] === "--" ? argv.slice(1) : argv;
    const entry = findEntry(words.slice(0, -1));
    const loaded = entry ? (await entry.load()).command : null;
    const { candidates, inventoryOf } = await import("./completion.ts");
    const found = () => inventoryOf(words, process).catch(() => null);
    process.stdout.write(await candidates(buildProgram(process, entry, loaded), words, found));
  } catch {
    process.stdout.write(":4\n");
  }
  return EXIT.ok;
}

function base(process: Process): Command {
  const program = new Command("macula-fleet");
  return program
    .description("Install and change a whole NixOS fleet over SSH without breaking it.")
    .version(VERSION, "--version", "print the version")
    .option(
      "-i, --inventory <path>",
      "inventory file or directory (default: $MACULA_FLEET_INVENTORY, inventory.yaml, inventory/)",
    )
    .option(
      "-l, --limit <pattern>",
      "only these hosts: a,b  role:&site  all:!node-03  node-0*  site=gent  state=failed  @file",
    )
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["human", "plain", "json", "ndjson"]),
    )
    .option("--state <url>", "where runs are remembered: a path, sqlite:PATH or postgres://…")
    .option("--forks <n>", "SSH connections at the same time (default: 32)")
    .option("--timeout <duration>", "give up (exit 124) after this long")
    .option(
      "--accept-new",
      "record the key of a host met for the first time (a changed key is always refused)",
    )
    .option("-y, --yes", "do it without asking")
    .option("--no-color", "no colours (also: NO_COLOR)")
    .option("-v, --verbose", "say more")
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .configureOutput({
      writeOut: (s) => process.stdout.write(s),
      writeErr: (s) => process.stderr.write(s),
      // Told by whoever catches it.
      outputError: () => undefined,
    })
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText(
      "after",
      "\nStart here: macula-fleet demo    Docs of one command: macula-fleet COMMAND --help",
    );
}

/** The longest catalog path that argv begins with, options skipped. */
export function findEntry(argv: readonly string[]): CatalogEntry | null {
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") break;
    if (!word.startsWith("-")) words.push(word);
    else if (TAKES_VALUE.has(word)) i++;
  }
  const text = `${words.join(" ")} `;
  const matches = CATALOG.filter((e) => text.startsWith(`${e.path} `));
  return matches.sort((a, b) => b.path.length - a.path.length)[0] ?? null;
}

const TAKES_VALUE = new Set([
  "-i",
  "--inventory",
  "-l",
  "--limit",
  "-o",
  "--output",
  "--state",
  "--forks",
  "--timeout",
]);

function place(program: Command, groups: Map<string, Command>, entry: CatalogEntry): Command {
  const words = entry.path.split(" ");
  const name = words.at(-1) ?? "";
  const parentName = words.slice(0, -1).join(" ");
  const parent = parentName === "" ? program : groupOf(program, groups, parentName);
  const existing = groups.get(entry.path) ?? parent.commands.find((c) => c.name() === name);
  const leaf = existing ?? parent.command(name);
  leaf.exitOverride().description(entry.summary).helpGroup(`${entry.group}:`);
  groups.set(entry.path, leaf);
  return leaf;
}

function groupOf(program: Command, groups: Map<string, Command>, name: string): Command {
  const known = groups.get(name);
  if (known) return known;
  const entry = CATALOG.find((e) => e.path.startsWith(`${name} `));
  const group = program.command(name).exitOverride().description(`${name} commands`);
  if (entry) group.helpGroup(`${entry.group}:`);
  groups.set(name, group);
  return group;
}

function describe(leaf: Command, spec: CommandSpec): void {
  for (const [name, help] of spec.arguments ?? []) leaf.argument(name, help);
  for (const [flags, help, fallback] of spec.options ?? []) {
    const option = new Option(flags, fallback === undefined ? help : `${help} (default: ${fallback})`);
    leaf.addOption(option);
  }
  leaf.configureHelp({ showGlobalOptions: true });
  if (spec.examples?.length)
    leaf.addHelpText("after", `\nExamples:\n${spec.examples.map((e) => `  ${e}`).join("\n")}`);
}
