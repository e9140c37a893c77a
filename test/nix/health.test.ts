import { readlinkSync, symlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Stage, stage } from "./shims.ts";

const SCRIPT = "modules/health/macula-health.sh";

interface Report {
  readonly verdict: string;
  readonly system: string;
  readonly checks: readonly { name: string; type: string; status: string; message: string }[];
}

/** A machine where everything works; tests break one thing. */
function machine(
  lines: readonly string[],
): Stage & { check(args?: readonly string[]): { code: number | null; report: Report } } {
  const s = stage();
  s.write("health.conf", `${lines.map((line) => line.replaceAll(" ", "\t")).join("\n")}\n`);
  s.write("to/x", "");
  symlinkSync(s.path("to"), s.path("current"));
  symlinkSync(s.path("to"), s.path("profile"));
  s.program("systemctl", '[ "$1" = is-system-running ] && echo running; exit 0');
  s.program("ip", 'echo "default via 10.0.0.1"');
  s.program("getent", "echo 10.0.0.9");
  s.program("timedatectl", "echo yes");
  s.program("df", 'printf "h\\nfs 9 9 5000000 1%% /\\n"');
  s.program("ss", 'echo "LISTEN 0 128 *:22"');
  s.program("curl", "exit 0");
  s.program("kubectl", 'echo "True v1.35.6+k3s1"');
  return {
    ...s,
    check(args = []) {
      const run = s.run(SCRIPT, ["--json", ...args], {
        MACULA_HEALTH_CONF: s.path("health.conf"),
        MACULA_HEALTH_RUN: s.path("run"),
        MACULA_HEALTH_ROOTS: s.path("roots"),
        MACULA_HEALTH_SYSTEM: s.path("current"),
        MACULA_HEALTH_PROFILE: s.path("profile"),
        MACULA_HEALTH_PAUSE: "0.1",
      });
      return { code: run.code, report: JSON.parse(run.stdout) as Report };
    },
  };
}

const ALL = [
  "system system",
  "units units",
  "route route",
  "dns dns cache.example",
  "time time",
  "disk store /nix 1048576",
  "listen ssh tcp 22",
  "http api http://127.0.0.1:1/",
  "k3s k3s node-01 v1.35.6+k3s1",
  "command own true",
];

describe("macula-health", () => {
  it("finds a working machine healthy, says so in a file, and keeps its system", () => {
    const m = machine(ALL);
    const { code, report } = m.check();
    expect({ code, bad: report.checks.filter((c) => c.status !== "ok") }).toEqual({ code: 0, bad: [] });
    expect(report).toMatchObject({ verdict: "ok", system: m.path("to") });
    expect(report.checks).toHaveLength(ALL.length);
    expect(JSON.parse(m.read("run/result.json"))).toEqual(report);
    expect(readlinkSync(m.path("roots/last-healthy"))).toBe(m.path("to"));
  });

  it.each<[string, string, string, string, number]>([
    [
      "a failed unit",
      "systemctl",
      'case $1 in list-units) echo "nats.service loaded failed failed x";; *) echo degraded;; esac',
      "units",
      1,
    ],
    ["a boot not finished", "systemctl", "[ $1 = is-system-running ] && echo starting", "system", 21],
    ["no route", "ip", "exit 0", "route", 21],
    ["no name service", "getent", "exit 2", "dns", 21],
    ["a wrong clock", "timedatectl", "echo no", "time", 21],
    ["a full disk", "df", 'printf "h\\nfs 9 9 5 1%% /\\n"', "store", 1],
    ["no sshd", "ss", "exit 0", "ssh", 21],
    ["a node not Ready", "kubectl", 'echo "False v1.35.6+k3s1"', "k3s", 21],
    ["another k3s", "kubectl", 'echo "True v1.34.1+k3s1"', "k3s", 1],
    ["a failing endpoint", "curl", "exit 22", "api", 21],
  ])("sees %s", (_, program, body, check, expected) => {
    const m = machine(ALL);
    m.program(program, body);
    const { code, report } = m.check();
    expect(code).toBe(expected);
    expect(report.checks.filter((c) => c.status !== "ok").map((c) => c.name)).toEqual([check]);
    expect(m.exists("roots/last-healthy")).toBe(false);
  });

  it("ignores its own unit and those it is told to", () => {
    const m = machine(["units units fwupd* "]);
    m.program("systemctl", 'echo "macula-health.service x"; echo "fwupd-refresh.service x"');
    expect(m.check().report.verdict).toBe("ok");
  });

  it("asked by a boot, does not wait for that boot to finish, and leaves no verdict behind", () => {
    const m = machine(["system system", "route route", "units units"]);
    m.program(
      "systemctl",
      'case $1 in is-system-running) echo starting;; *) echo "macula-health-boot.service x";; esac',
    );
    expect(m.check().code).toBe(21);
    const { code, report } = m.check(["--boot"]);
    expect(code).toBe(0);
    expect(report.checks.map((c) => c.name)).toEqual(["route", "units"]);
    expect(JSON.parse(m.read("run/result.json"))).toMatchObject({ verdict: "retry" });
    expect(m.exists("roots/last-healthy")).toBe(false);
    m.program("ip", "exit 0");
    expect(m.check(["--boot"]).code).toBe(21);
  });

  it("takes 21 from a command as not yet, anything else as no, and keeps what it said", () => {
    const m = stage();
    m.write("health.conf", 'command\tlater\techo "half \\"way\\""; exit 21\ncommand\tbad\texit 3\n');
    const env = { MACULA_HEALTH_CONF: m.path("health.conf"), MACULA_HEALTH_RUN: m.path("run") };
    const run = m.run(SCRIPT, ["--json"], env);
    const report = JSON.parse(run.stdout) as Report;
    expect(report.checks).toMatchObject([{ status: "retry", message: 'half "way"' }, { status: "failed" }]);
    expect(run.code).toBe(1);
  });

  it("waits for a machine that needs a moment", () => {
    const m = machine(["route route"]);
    m.program("ip", `[ -e "${m.path("up")}" ] && echo default; : >"${m.path("up")}"`);
    expect(m.check(["--wait", "30"]).report.verdict).toBe("ok");
  });

  it("does not call a system on trial the last healthy one", () => {
    const m = machine(["route route"]);
    m.write("other/x", "");
    const run = m.run(SCRIPT, [], {
      MACULA_HEALTH_CONF: m.path("health.conf"),
      MACULA_HEALTH_RUN: m.path("run"),
      MACULA_HEALTH_ROOTS: m.path("roots"),
      MACULA_HEALTH_SYSTEM: m.path("current"),
      MACULA_HEALTH_PROFILE: m.path("other"),
    });
    expect(run.stdout).toContain("ok      route");
    expect(run.code).toBe(0);
    expect(m.exists("roots/last-healthy")).toBe(false);
  });

  it("is not healthy without a list of checks, or with one it does not know", () => {
    const m = stage();
    expect(m.run(SCRIPT, [], { MACULA_HEALTH_CONF: m.path("none") }).code).toBe(1);
    expect(machine(["gremlins x"]).check().code).toBe(1);
    expect(m.run(SCRIPT, ["--loud"]).code).toBe(64);
  });
});
