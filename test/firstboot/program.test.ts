import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, it } from "vitest";
import { NODE } from "../support/cli-process.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/macula-firstboot.js", import.meta.url));

it("shows the code on the screen and to root, keeps it out of the journal, ends when told", async () => {
  const directory = await mkdtemp(join(tmpdir(), "firstboot-"));
  try {
    const runtime = join(directory, "run");
    const running = execa(
      NODE,
      [PROGRAM, "-port", "0", "-host", "127.0.0.1", "-state-dir", join(directory, "state"), "-no-reboot"],
      { env: { RUNTIME_DIRECTORY: runtime }, reject: false },
    );
    for await (const line of running.iterable({ from: "stderr" })) {
      if (line.startsWith("waiting for pairing at http://")) running.kill("SIGTERM");
    }
    const { exitCode, stdout, stderr } = await running;
    expect(exitCode).toBe(0);
    const code = /Code {3}([A-Z2-9]{3}-[A-Z2-9]{3})/.exec(stdout)?.[1] ?? "none";
    expect(await readFile(join(runtime, "console"), "utf8")).toContain(code);
    expect((await stat(join(runtime, "console"))).mode & 0o777).toBe(0o600);
    expect(stderr).not.toContain(code);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

it("refuses a portal that would get the codes in the clear", async () => {
  const ran = await execa(NODE, [PROGRAM, "-portal", "http://portal.example"], { reject: false });
  expect(ran.exitCode).toBe(64);
  expect(ran.stderr).toContain("https://");
});
