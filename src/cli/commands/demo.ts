import { rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import type { App } from "../../app.ts";
import { EXIT, FleetError } from "../../errors.ts";
import { temporaryDirectory } from "../../kernel/temporary.ts";
import { createPaint } from "../../ui/paint.ts";
import { accent, dim, line, strong } from "../../ui/view/line.ts";
import { defineCommand } from "../command.ts";

interface Scene {
  readonly say: readonly string[];
  /** Command line after `macula-fleet`. */
  readonly type: readonly string[];
  /** The exit status the story needs; anything else ends the tour. */
  readonly exit: number;
}

export const command = defineCommand({
  options: [
    ["--hosts <n>", "size of the simulated fleet", "12"],
    ["--keep", "leave the lab running afterwards"],
  ],
  examples: ["macula-fleet demo", "macula-fleet demo --hosts 50 --keep"],
  schema: z.object({
    hosts: z.coerce.number().int().min(6).max(500).default(12),
    keep: z.boolean().default(false),
  }),
  async run(app, { options }) {
    const dir = await temporaryDirectory("macula-fleet-demo-");
    const inventory = join(dir, "inventory.yaml");
    const fleet = (...words: string[]) => [...words, "-i", inventory];
    const lab = (...words: string[]) => ["lab", ...words, "--dir", dir];
    try {
      for (const scene of story(options.hosts, fleet, lab)) await play(app, scene);
      narrate(app, ["", "That was the tour: nothing was lost, nobody pressed a reset button."]);
    } finally {
      if (options.keep) narrate(app, [`the lab stays up; end it with: macula-fleet lab down --dir ${dir}`]);
      else {
        await run(lab("down"), app, { quiet: true });
        await rm(dir, { recursive: true, force: true });
      }
    }
    return EXIT.ok;
  },
});

type Words = (...words: string[]) => string[];

function story(hosts: number, fleet: Words, lab: Words): readonly Scene[] {
  return [
    {
      say: [`A lab: ${hosts} simulated machines, each behind a real SSH server, waiting in an installer.`],
      type: lab("up", "--hosts", String(hosts), "--blank"),
      exit: EXIT.ok,
    },
    {
      say: ["Install NixOS on all of them, from one inventory."],
      type: fleet("install", "--to", "r1", "--yes"),
      exit: EXIT.ok,
    },
    {
      say: ["A new release. It has a fault nobody knows of yet: a unit fails once it is active."],
      type: lab("release", "r2", "--behaviour", "bad-health"),
      exit: EXIT.ok,
    },
    {
      say: ["Roll it out. The canary goes bad, goes back by itself, and the rollout stops there."],
      type: fleet("rollout", "--canary", "10%", "--yes"),
      exit: EXIT.hostsFailed,
    },
    {
      say: ["The other hosts were never touched. End this one …"],
      type: fleet("rollout", "abort"),
      exit: EXIT.hostsFailed,
    },
    { say: ["… fix the fault …"], type: lab("release", "r3"), exit: EXIT.ok },
    {
      say: ["… and go again: canary, waves, then gateway and bootstrap hosts one at a time."],
      type: fleet("rollout", "--canary", "10%", "--yes"),
      exit: EXIT.ok,
    },
    {
      say: ["One host should go back after all."],
      type: fleet("rollback", "node-03", "--yes"),
      exit: EXIT.ok,
    },
    { say: ["What the fleet remembers."], type: fleet("rollout", "history"), exit: EXIT.ok },
  ];
}

async function play(app: App, scene: Scene): Promise<void> {
  narrate(app, ["", ...scene.say]);
  const paint = createPaint(app.color);
  app.print(paint(line(accent("$ "), strong(`macula-fleet ${scene.type.join(" ")}`))));
  const exit = await run(scene.type, app);
  app.signal.throwIfAborted();
  if (exit !== scene.exit) {
    throw new FleetError("lab-failed", `the tour expected exit status ${scene.exit} and got ${exit}`, {
      hint: "please report this with the output above",
    });
  }
  app.print(paint(line(dim(`(exit status ${exit})`))));
}

function narrate(app: App, lines: readonly string[]): void {
  const paint = createPaint(app.color);
  for (const text of lines) app.print(paint(line(text === "" ? "" : accent("# "), text)));
}

/** This very program, as a user runs it. */
async function run(
  words: readonly string[],
  app: App,
  o: { readonly quiet?: boolean } = {},
): Promise<number> {
  const stdio = o.quiet ? "ignore" : "inherit";
  const result = await execa(globalThis.process.execPath, [globalThis.process.argv[1] ?? "", ...words], {
    stdio,
    reject: false,
    cwd: app.process.cwd,
    env: { MACULA_FLEET_INVENTORY: undefined },
  });
  return result.exitCode ?? EXIT.interrupted;
}
