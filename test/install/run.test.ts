import { readFileSync } from "node:fs";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { anywhereArguments } from "../../src/install/anywhere/command.ts";
import { type AnywhereRun, runAnywhere } from "../../src/install/anywhere/run.ts";
import { checkAnywhere, missingOptions } from "../../src/install/anywhere/version.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "mf-run-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function program(body: string): Promise<readonly string[]> {
  const file = join(dir, "fake");
  await writeFile(file, `#!/bin/sh\n${body}\n`);
  await chmod(file, 0o755);
  return [file];
}
const call = (run: Pick<AnywhereRun, "program"> & Partial<AnywhereRun>): Promise<void> =>
  runAnywhere({
    args: [],
    deadlineMs: 20_000,
    signal: new AbortController().signal,
    onStep: () => {},
    ...run,
  });
/** A process that has ended may stay in the table until its parent looks. */
const isAlive = (pid: number): boolean => {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};
const pids = async () => (await readFile(join(dir, "pids"), "utf8")).trim().split("\n").map(Number);
/** Two generations below it that ignore being asked politely, as an ssh in a loop may. */
const HANGS =
  'echo "### Switching system into kexec ###"\ntrap "" TERM\necho $$ > DIR/pids\nsh -c \'trap "" TERM; echo $$ >> DIR/pids; sleep 300 & echo $! >> DIR/pids; wait\' &\necho ready\nwait';

it("reports steps and lines as they come", async () => {
  const steps: string[] = [];
  const lines: string[] = [];
  await call({
    program: await program('echo "### One ###"; echo noise >&2; echo "### Done! ###"'),
    onStep: (s) => steps.push(s),
    onLine: (l) => lines.push(l),
  });
  expect(steps).toEqual(["One", "Done!"]);
  expect(lines.toSorted()).toEqual(["### Done! ###", "### One ###", "noise"]);
});

it("loses nothing of what a quick one says", async () => {
  const lines: string[] = [];
  const fake = await program('echo "### forced failure ###"; exit 1');
  await expect(call({ program: fake, onLine: (l) => lines.push(l) })).rejects.toMatchObject({
    message: expect.stringContaining("forced failure"),
  });
  expect(lines).toEqual(["### forced failure ###"]);
});

it("gives up at the deadline and ends everything below it", async () => {
  const fake = await program(HANGS.replaceAll("DIR", dir));
  const error = await call({ program: fake, deadlineMs: 1_000 }).catch((e: unknown) => e);
  expect(error).toMatchObject({
    code: "install-failed",
    message: expect.stringContaining("did not come back as an installer"),
  });
  const all = await pids();
  expect(all).toHaveLength(3);
  await expect.poll(() => all.filter(isAlive)).toEqual([]);
}, 20_000);

it("ends everything below it when told to stop", async () => {
  const stop = new AbortController();
  const run = call({
    program: await program(HANGS.replaceAll("DIR", dir)),
    signal: stop.signal,
    onLine: (line) => line === "ready" && setTimeout(() => stop.abort(new Error("stopped")), 200),
  });
  await expect(run).rejects.toThrow("stopped");
  const all = await pids();
  await expect.poll(() => all.filter(isAlive)).toEqual([]);
}, 20_000);

it("does not wait where nixos-anywhere would try in vain for ever", async () => {
  const fake = await program(
    'echo "### Uploading install SSH keys ###"; echo "Host key verification failed." >&2; sleep 300',
  );
  await expect(call({ program: fake })).rejects.toMatchObject({
    message: expect.stringContaining("another host key"),
  });
}, 20_000);

it("has its own directory, no stdin and no terminal to ask on", async () => {
  const fake = await program(
    `pwd; cat; echo "$SSH_ASKPASS_REQUIRE $LC_ALL"; touch result; echo "$TMPDIR" > ${dir}/tmp`,
  );
  const seen: string[] = [];
  await call({ program: fake, onLine: (l) => seen.push(l) });
  expect(seen).toHaveLength(2);
  expect(seen[1]).toBe("never C");
  expect(seen[0]).not.toBe(process.cwd());
  const gone = (await readFile(join(dir, "tmp"), "utf8")).trim();
  await expect(readdir(gone)).rejects.toThrow("ENOENT");
});

it("says so when there is no place for temporary files", async () => {
  vi.stubEnv("TMPDIR", join(dir, "missing"));
  try {
    await expect(call({ program: ["true"] })).rejects.toMatchObject({
      code: "command-failed",
      message: expect.stringContaining(`in ${join(dir, "missing")}: ENOENT`),
      hint: expect.stringContaining("TMPDIR"),
    });
  } finally {
    vi.unstubAllEnvs();
  }
});

it("says so when it is not there or too old", async () => {
  await expect(call({ program: [join(dir, "missing")] })).rejects.toMatchObject({ code: "tool-missing" });
  const { signal } = new AbortController();
  await expect(checkAnywhere([join(dir, "missing")], signal)).rejects.toMatchObject({ code: "tool-missing" });
  await expect(checkAnywhere(await program("echo '* --flake'"), signal)).rejects.toMatchObject({
    code: "tool-missing",
    message: expect.stringContaining("too old: it knows no --phases, --store-paths"),
  });
  expect(
    missingOptions(
      "* -s, --store-paths\n* --phases\n* --build-on auto\n* -p, --ssh-port\n* --post-kexec-ssh-port\n* --extra-files\n* --disk-encryption-keys\n* --kexec",
    ),
  ).toEqual([]);
});

it("names each phase's own options only", () => {
  const args = (phase: "kexec" | "disko" | "install" | "reboot") =>
    anywhereArguments({
      phase,
      user: "deploy",
      destination: "node-01.invalid",
      port: 2222,
      disko: "/d",
      toplevel: "/t",
      identityFile: "/k",
      extraFiles: "/x",
      installerFiles: new Map([["/tmp/disk.key", "/l"]]),
      kexec: "/tarball",
    }).join(" ");
  const common = "--store-paths /d /t --build-on local --ssh-port 2222";
  expect(args("kexec")).toBe(
    `--phases kexec ${common} --post-kexec-ssh-port 2222 -i /k --kexec /tarball deploy@node-01.invalid`,
  );
  expect(args("disko")).toBe(
    `--phases disko ${common} -i /k --disk-encryption-keys /tmp/disk.key /l root@node-01.invalid`,
  );
  expect(args("install")).toBe(`--phases install ${common} -i /k --extra-files /x root@node-01.invalid`);
  expect(args("reboot")).toBe(`--phases reboot ${common} -i /k root@node-01.invalid`);
});
