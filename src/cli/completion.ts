/** Shell completion, fenced in: the only file that knows the library. It prints with console.log; here that is captured. */
import { script } from "@bomb.sh/tab";
import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";
import type { Process } from "../app.ts";
import type { Inventory } from "../inventory/model.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

const NAME = "macula-fleet";
/** Arguments that are host names, by the name they have in the catalog. */
const HOST_ARGUMENTS = new Set(["host", "hosts"]);
/** Options whose value is a file: the shell itself knows files best. */
const FILE_OPTIONS = new Set(["-i", "--inventory", "--state", "--nixos-anywhere", "--kexec", "--dir"]);
const FILES = ":0";

export const completionScript = (shell: Shell): string => captured(() => script(shell, NAME, NAME));

/** Candidates for the last of `words` (maybe empty), one per line, in the form the scripts expect. */
export function candidates(
  program: Command,
  words: readonly string[],
  inventory: () => Promise<Inventory | null>,
): Promise<string> {
  return FILE_OPTIONS.has(words.at(-2) ?? "")
    ? Promise.resolve(`${FILES}\n`)
    : complete(program, words, inventory);
}

async function complete(
  program: Command,
  words: readonly string[],
  inventory: () => Promise<Inventory | null>,
): Promise<string> {
  const root = tab(program, { completionCommandName: "completion-script" });
  for (const own of ["completion-script", "complete"]) root.commands.delete(own);
  // The library looks for options with the command only; ours stand before and after it.
  for (const command of root.commands.values())
    for (const [name, option] of root.options)
      if (!command.options.has(name)) command.options.set(name, option);
  const takesHosts = [...root.commands.values()].flatMap((command) =>
    [...command.arguments.values()].filter((argument) => HOST_ARGUMENTS.has(argument.name)),
  );
  const limits = [root, ...root.commands.values()].flatMap((command) => command.options.get("limit") ?? []);
  const known = takesHosts.length + limits.length > 0 ? await inventory() : null;
  if (known) {
    for (const argument of takesHosts)
      argument.handler = (offer) => {
        for (const host of known.hosts) offer(host.name, `${host.role}${host.site ? `, ${host.site}` : ""}`);
      };
    for (const option of limits)
      option.handler = (offer) => {
        for (const [pattern, what] of patterns(known)) offer(pattern, what);
      };
  }
  return captured(() => root.parse([...words]));
}

function patterns({ hosts, groups, sites }: Inventory): readonly (readonly [string, string])[] {
  return [
    ...hosts.map((h) => [h.name, h.role] as const),
    ...Object.keys(groups).map((name) => [name, "group"] as const),
    ...Object.keys(sites).map((name) => [`site=${name}`, "site"] as const),
    ...["peer", "gateway", "bootstrap"].map((role) => [`role=${role}`, "role"] as const),
    ...["failed", "deferred", "outdated"].map((state) => [`state=${state}`, "as last seen"] as const),
  ];
}

/** What is printed with console.log meanwhile. */
function captured(work: () => void): string {
  const lines: string[] = [];
  const before = console.log;
  console.log = (...parts: unknown[]) => void lines.push(parts.join(" "));
  try {
    work();
  } finally {
    console.log = before;
  }
  return `${lines.join("\n")}\n`;
}

/** The inventory the words on the command line mean, with whatever mistakes it has; null when there is none. */
export async function inventoryOf(words: readonly string[], process: Process): Promise<Inventory | null> {
  const { loadInventory } = await import("../inventory/load.ts");
  const at = words.findLastIndex((word) => word === "-i" || word === "--inventory");
  const path = at < 0 ? undefined : words[at + 1];
  const { inventory } = await loadInventory({
    ...(path === undefined ? {} : { path }),
    cwd: process.cwd,
    env: process.env,
    now: Date.now(),
  });
  return inventory ?? null;
}
