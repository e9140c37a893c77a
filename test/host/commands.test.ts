import { describe, expect, it } from "vitest";
import { FleetError } from "../../src/errors.ts";
import { hostCommands, receiveLine, scriptCommand } from "../../src/host/commands.ts";
import type { Activation } from "../../src/host/driver.ts";
import { identify } from "../../src/host/scripts.ts";
import { Secret } from "../../src/kernel/secret.ts";
import type { Command } from "../../src/kernel/shell.ts";

const a: Activation = {
  rollout: "r-7",
  attempt: 2,
  fence: 9,
  from: `/nix/store/${"a".repeat(32)}-nixos-system-x-1`,
  to: `/nix/store/${"b".repeat(32)}-nixos-system-x-2`,
  mode: "test",
  confirmTimeoutMs: 1500,
};
const named = {
  RUN: "r-7",
  ATTEMPT: "2",
  FENCE: "9",
  FROM: a.from,
  TO: a.to,
  MODE: "test",
  CONFIRM_TIMEOUT: "2",
};
const sent = (command: Command) => ({ line: command.line, ...identify(String(command.stdin)) });

describe("host commands", () => {
  it.each([
    ["root", "sh -s"],
    ["sudo", "sudo -n sh -s"],
    ["doas", "doas -n sh -s"],
    ["none", "sh -s"],
  ] as const)("run as %s", (elevation, line) => {
    expect(scriptCommand("probe", elevation).line).toBe(line);
  });

  it("say everything about an activation in parameters, nothing in argv", () => {
    expect(sent(hostCommands.activate("sudo", { ...a, ignoreUnits: ["a.service", "b.service"] }))).toEqual({
      line: "sudo -n sh -s",
      name: "activate",
      parameters: { ...named, MAY_REBOOT: "1", IGNORE_UNITS: "a.service\nb.service", IGNORE_CONSENT: "" },
    });
    const bold = { ...a, mayReboot: false, ignoreConsent: true };
    expect(sent(hostCommands.activate("root", bold)).parameters).toMatchObject({
      MAY_REBOOT: "",
      IGNORE_CONSENT: "1",
    });
    expect(sent(hostCommands.commit("root", a))).toEqual({
      line: "sh -s",
      name: "commit",
      parameters: named,
    });
  });

  it("carry secrets in stdin alone", () => {
    const secret = { path: "/x/token", mode: 0o40, content: new Secret("it's me") };
    const command = hostCommands.deliver("sudo", [secret], { fence: 3 });
    expect(sent(command)).toEqual({
      line: "sudo -n sh -s",
      name: "deliver",
      parameters: {
        ...{ FENCE: "3", RESTART: "", SECRET_COUNT: "1" },
        ...{ SECRET_1_PATH: "/x/token", SECRET_1_MODE: "0040", SECRET_1_CONTENT: "it's me" },
      },
    });
    expect(command.label).toBe("deliver");
  });

  it("look at a run only when one is named", () => {
    expect(sent(hostCommands.probe("root")).parameters).toEqual({ ELEVATION: "root" });
    expect(sent(hostCommands.probe("doas", a)).parameters).toEqual({
      ELEVATION: "doas",
      RUN: "r-7",
      TO: a.to,
    });
  });

  it.each([
    ["operator", "operator"],
    ["Health: 3 checks failed!", "health-checks-failed"],
    ["; rm -rf /", "rm-rf"],
    ["", "operator"],
  ])("make one word of the reason %j", (reason, word) => {
    expect(sent(hostCommands.revert("root", a, reason)).parameters).toMatchObject({ REASON: word });
  });

  it("number the checks and their options", () => {
    const checks = [
      { name: "units", type: "systemd", ignore: ["fwupd.service"] },
      {
        name: "it's up",
        type: "http",
        url: "http://127.0.0.1:4000/health",
        expect: [200, 204],
        timeout: "3s",
      },
    ];
    expect(sent(hostCommands.check("root", checks, ["old.service"], a)).parameters).toEqual({
      RUN: "r-7",
      FENCE: "9",
      BASELINE: "old.service",
      CHECK_COUNT: "2",
      CHECK_1_TYPE: "systemd",
      CHECK_1_NAME: "units",
      CHECK_1_TIMEOUT: "10",
      CHECK_1_IGNORE: "fwupd.service",
      CHECK_1_UNITS: "",
      CHECK_2_TYPE: "http",
      CHECK_2_NAME: "it's up",
      CHECK_2_TIMEOUT: "3",
      CHECK_2_URL: "http://127.0.0.1:4000/health",
      CHECK_2_EXPECT: "200 204",
      CHECK_2_BODY: "",
      CHECK_2_INSECURE: "",
    });
  });

  it("refuse a check that makes no sense before anything is sent", () => {
    const bad = () => hostCommands.check("root", [{ name: "x", type: "tcp", prot: 1 }], []);
    expect(bad).toThrow(FleetError);
    expect(bad).toThrow(/check "x" is not usable: port: .*prot/s);
  });

  it("feed the store as one command", () => {
    expect(receiveLine("doas")).toMatch(/^doas -n sh -c '.*gzip -dc \| nix-store --import'$/);
  });
});
