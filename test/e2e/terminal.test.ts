/** A rollout as a person sees it: the real program in a real terminal of 100 by 30. */
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NODE, PROGRAM } from "../support/cli-process.ts";
import { type FleetLab, QUICK, startLab } from "./support/lab.ts";

const missing = (await execa("tmux", ["-V"], { reject: false })).failed ? "tmux is not installed" : null;

describe.skipIf(missing !== null)(`a rollout on a terminal${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let lab: FleetLab;
  const socket = `macula-e2e-${process.pid}`;
  const tmux = async (...args: string[]) =>
    (await execa("tmux", ["-L", socket, "-f", "/dev/null", ...args])).stdout;
  const screen = () => tmux("capture-pane", "-p", "-t", "fleet");
  const type = async (line: string) => {
    await tmux("send-keys", "-t", "fleet", "-l", line);
    await tmux("send-keys", "-t", "fleet", "Enter");
  };
  const shows = (pattern: RegExp) => expect.poll(screen, { timeout: 60_000, interval: 300 }).toMatch(pattern);

  beforeAll(async () => {
    lab = await startLab({
      hosts: 8,
      sites: 2,
      rollout: { ...QUICK, minHealthyTime: "1500ms", confirmTimeout: "15s" },
    });
    await execa(
      "tmux",
      ["-L", socket, "-f", "/dev/null", "new-session", "-d", "-s", "fleet", "-x", "100", "-y", "30", "sh"],
      {
        env: {
          ...lab.env,
          PS1: "$ ",
          TERM: "xterm-256color",
          NO_COLOR: "",
          CI: "",
          FLEET: `${NODE} ${PROGRAM}`,
        },
      },
    );
  });
  afterAll(async () => {
    if (!missing) await execa("tmux", ["-L", socket, "kill-server"], { reject: false });
    await lab?.down();
  });

  it("asks first, shows who is where, and ends with what to type next", async () => {
    await type("clear; $FLEET rollout --canary 1");
    await shows(/Roll r2 out to 8 hosts\?/);
    await tmux("send-keys", "-t", "fleet", "y");
    await shows(/confirming/);
    const during = await screen();
    expect(during).toMatch(/wave \d\/\d/);
    expect(during).toMatch(/LAB/);
    expect(during).toMatch(/reverts itself|\^C/);
    await shows(/next: +macula-fleet status[\s\S]*macula-fleet rollout undo r-/);
    const after = await screen();
    expect(after).toMatch(/updated +8/);
    for (const line of [...during.split("\n"), ...after.split("\n")])
      expect(line.length).toBeLessThanOrEqual(100);
    if (process.env.SHOW_SCREENS) console.log(`${during}\n${"=".repeat(100)}\n${after}`);
  });

  it("^C says what it does, and the prompt comes back", async () => {
    lab.release("r3");
    await type("clear; $FLEET rollout --yes; echo status $?");
    await shows(/confirming/);
    await tmux("send-keys", "-t", "fleet", "C-c");
    await shows(/starts nothing new|once more/);
    await shows(/status 130/);
    const after = await screen();
    expect(after).toMatch(/macula-fleet rollout resume r-/);
    if (process.env.SHOW_SCREENS) console.log(after);
  });
});
