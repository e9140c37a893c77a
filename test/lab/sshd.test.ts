import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { scriptCommand } from "../../src/host/commands.ts";
import { targetOf } from "../../src/inventory/target.ts";
import type { Command } from "../../src/kernel/shell.ts";
import { labRelease } from "../../src/lab/index.ts";
import { newKeyPair } from "../../src/lab/keys.ts";
import type { Target } from "../../src/transport/transport.ts";
import { labInProcess, type TestLab, waitFor } from "./support/lab.ts";

const signal = new AbortController().signal;
let test: TestLab;
beforeAll(async () => {
  test = await labInProcess({ hosts: 3 });
});
afterAll(() => test[Symbol.asyncDispose]());

const target = (name = "node-01", change: Partial<Target> = {}): Target => ({
  ...targetOf(test.host(name), test.inventory),
  ...change,
});
async function run(command: Command | string, on: Target = target()) {
  await using session = await test.transport.open(on, { signal });
  const whole = typeof command === "string" ? { line: command, label: "test" } : command;
  return await session.run(whole, { signal, timeoutMs: 10_000 });
}
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof FleetError ? error.code : String(error)),
  );

describe("a lab host over SSH", () => {
  it.each([
    ["true", 0, ""],
    ["false", 1, ""],
    ["hostname", 0, "node-01\n"],
    ["echo 'it'\\''s a' lab", 0, "it's a lab\n"],
    ["sh -c 'uname -r'", 0, "6.12.58\n"],
  ])("knows %s", async (line, code, stdout) => {
    expect(await run(line)).toMatchObject({ code, stdout, stderr: "" });
  });

  it("says that it is a lab", async () => {
    expect((await run("cat /etc/os-release")).stdout).toMatch(/VARIANT_ID=lab[\s\S]*simulated/);
    expect((await run("uname -a")).stdout).toContain("lab");
  });

  it.each([
    "ls /",
    "rm -rf /",
    "hostname; id",
    "echo $(id)",
    "true && id",
    "nix-env --version",
    "systemctl reboot",
    "echo `id`",
  ])("refuses %s", async (line) => {
    expect(await run(line)).toMatchObject({
      code: 127,
      stdout: "",
      stderr: expect.stringMatching(/^lab: .*know/),
    });
  });

  it("refuses a script that differs in one character from the product's", async () => {
    const probe = scriptCommand("probe", "root", {});
    expect((await run(probe)).code).toBe(0);
    const changed = { ...probe, stdin: String(probe.stdin).replace("json_str", "json_sTr") };
    const stderr = expect.stringMatching(
      /^lab: does not know this "# macula-fleet\/1 probe" \(another version/,
    );
    expect(await run(changed)).toMatchObject({ code: 127, stdout: "", stderr });
  });

  it("refuses a stream that is no export", async () => {
    const { receiveCommand } = await import("../../src/host/commands.ts");
    async function* garbage() {
      yield Buffer.from("this is not gzip");
    }
    expect((await run(receiveCommand("root", garbage()))).code).toBe(1);
  });

  it("lets in only the lab's own key, as root", async () => {
    const stranger = join(test.dir, "stranger");
    writeFileSync(stranger, newKeyPair("stranger").private, { mode: 0o600 });
    expect(await codeOf(run("true", target("node-01", { identityFile: stranger })))).toBe("auth-refused");
    expect(await codeOf(run("true", target("node-01", { user: "admin" })))).toBe("auth-refused");
  });

  it("is a bastion to other hosts of the lab and to nothing else", async () => {
    const { via: _none, ...hop } = target("node-02");
    expect(await run("hostname", target("node-01", { via: [hop] }))).toMatchObject({ stdout: "node-01\n" });
    const elsewhere = target("node-01", { via: [hop], port: test.lab.running.controlPort });
    expect(await codeOf(run("hostname", elsewhere))).not.toBe("no error");
  });

  it("answers many at once", async () => {
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, i) => run("hostname", target(`node-0${(i % 3) + 1}`))),
    );
    expect(all.every((r) => r.code === 0)).toBe(true);
  });
});

describe("copying", () => {
  it("keeps the paths that were complete when the connection broke, and takes the rest later", async () => {
    const host = test.host("node-03");
    labRelease(test.dir, "r7", { behaviour: "needs-reboot" });
    const closure = (await test.closures.build([host], "r7", { signal })).get(host.name);
    const to = closure?.toplevel ?? "";
    const simulated = test.lab.fleet.hosts.get(host.name);
    const paths = (await test.closures.requisites(to, { signal })).map((p) => p.path);
    const missing = () => paths.filter((p) => !simulated?.machine().disk.store[p]);
    const wanted = missing();
    expect(wanted.length).toBeGreaterThan(2);

    async function* broken() {
      let sent = 0;
      for await (const chunk of test.closures.export(wanted, { signal })) {
        if (sent++ === 3) {
          await waitFor("the first path", async () => missing().length < wanted.length);
          throw new Error("the cable was cut");
        }
        yield chunk;
      }
    }
    const activation = {
      rollout: "r-7",
      attempt: 1,
      fence: 1,
      from: simulated?.machine().memory?.current ?? "",
      to,
      mode: "test" as const,
      confirmTimeoutMs: 5000,
    };
    const { createSshDriver } = await import("../../src/host/ssh-driver.ts");
    const flaky = createSshDriver({
      pool: test.pool,
      closures: { ...test.closures, export: broken },
      targetOf: (h) => targetOf(h, test.inventory),
    });
    await expect(flaky.stage(host, activation, { signal })).rejects.toThrow();
    const resumed = await test.driver.stage(host, activation, { signal });
    expect(resumed.paths).toBeLessThan(wanted.length);
    expect(missing()).toEqual([]);
  });
});
