import { symlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Outcome, type Stage, stage } from "./shims.ts";

const SCRIPT = "modules/pull/macula-pull.sh";

/** A machine on system `a`, told to go to `b`, where everything works. */
function machine(): Stage & { pull(target?: string): Outcome; target: string } {
  const s = stage();
  for (const name of ["store/h-a", "store/h-b"])
    s.program(`${name}/bin/switch-to-configuration`, `echo "${name} $1" >>"${s.path("order")}"`);
  s.program("store/h-b/sw/bin/macula-health", "exit 0");
  symlinkSync(s.path("store/h-a"), s.path("current"));
  symlinkSync(s.path("store/h-a"), s.path("profile"));
  s.program("curl", `case "$*" in *"-o /dev/null"*) ;; *) cat "${s.path("published")}" ;; esac`);
  s.program("nix-store", "exit 0");
  s.program("nix-env", `echo "set" >>"${s.path("order")}"`);
  s.program("systemctl", `[ "$1" = stop ] && [ $# = 2 ] && echo "disarm" >>"${s.path("order")}"; exit 0`);
  s.program("systemd-run", `echo "arm" >>"${s.path("order")}"`);
  const target = s.path("store/h-b");
  return {
    ...s,
    target,
    pull(published = target) {
      s.write("published", `${published}\n`);
      return s.run(SCRIPT, ["https://cache.example/x", "600"], {
        MACULA_PROFILE: s.path("profile"),
        MACULA_CURRENT: s.path("current"),
        MACULA_STATE: s.path("state"),
        MACULA_RUN: s.path("run"),
        MACULA_ROOTS: s.path("roots"),
        MACULA_STORE: s.path("store"),
      });
    },
  };
}
const order = (m: Stage): readonly string[] => (m.exists("order") ? m.read("order").trim().split("\n") : []);

describe("macula-pull", () => {
  it("arms the way back, tries, judges, then commits", () => {
    const m = machine();
    const run = m.pull();
    expect(run).toMatchObject({ code: 0, stdout: `committed ${m.target}\n` });
    expect(order(m)).toEqual(["arm", "store/h-b test", "disarm", "set", "store/h-b boot"]);
    const armed = m.calls().find((call) => call.startsWith("systemd-run"));
    // The old system's own script: the new one may be what is broken.
    expect(armed).toContain(`--on-active=600 ${m.path("store/h-a")}/bin/switch-to-configuration test`);
  });

  it("goes back from an unhealthy system, and does not try it again", () => {
    const m = machine();
    m.program("store/h-b/sw/bin/macula-health", "exit 1");
    expect(m.pull().code).toBe(1);
    expect(order(m)).toEqual(["arm", "store/h-b test", "store/h-a test", "disarm"]);
    expect(m.pull()).toMatchObject({ code: 0, stdout: expect.stringContaining("failed here before") });
    expect(order(m)).toHaveLength(4);
  });

  it("goes back when activation fails", () => {
    const m = machine();
    m.program("store/h-b/bin/switch-to-configuration", "exit 4");
    expect(m.pull()).toMatchObject({ code: 1, stdout: expect.stringContaining("activation exited 4") });
    expect(order(m)).toEqual(["arm", "store/h-a test", "disarm"]);
  });

  it("goes back when the new system cannot ask any more", () => {
    const m = machine();
    m.program(
      "curl",
      `[ -e "${m.path("asked")}" ] && exit 7; : >"${m.path("asked")}"; cat "${m.path("published")}"`,
    );
    expect(m.pull().code).toBe(1);
    expect(order(m)).toContain("store/h-a test");
    expect(order(m)).not.toContain("set");
  });

  it("changes nothing when the way back cannot be armed, or the closure is refused", () => {
    const unarmed = machine();
    unarmed.program("systemd-run", "exit 1");
    expect(unarmed.pull().code).toBe(1);
    expect(order(unarmed)).toEqual([]);
    const unsigned = machine();
    unsigned.program("nix-store", "exit 1");
    expect(unsigned.pull().code).toBe(1);
    expect(order(unsigned)).toEqual([]);
  });

  it("does nothing at the target, on hold, or without an answer", () => {
    const there = machine();
    expect(there.pull(there.path("store/h-a")).code).toBe(0);
    expect(order(there)).toEqual([]);
    const note = (until: number) => `{\n  "by": "ops",\n  "reason": "maintenance",\n  "until": ${until}\n}\n`;
    const held = machine();
    held.write("state/hold.json", note(0));
    expect(held.pull()).toMatchObject({ code: 0, stdout: "held: maintenance\n" });
    expect(order(held)).toEqual([]);
    const over = machine();
    over.write("state/hold.json", note(1));
    expect(over.pull()).toMatchObject({ code: 0, stdout: expect.stringContaining("committed") });
    const locked = machine();
    locked.write("state/lock.json", '{\n  "by": "ops",\n  "reason": "audit",\n  "since": 1\n}\n');
    expect(locked.pull()).toMatchObject({ code: 0, stdout: "locked: audit\n" });
    const pushed = machine();
    pushed.write("state/state.json", '{\n  "schema": 1,\n  "phase": "activated"\n}\n');
    expect(pushed.pull()).toMatchObject({ code: 0, stdout: "a rollout is under way here\n" });
    expect(order(pushed)).toEqual([]);
    const alone = machine();
    alone.program("curl", "exit 6");
    expect(alone.pull().code).toBe(1);
    expect(order(alone)).toEqual([]);
  });

  it.each([["/etc/passwd"], ["store/../x"], ["store/h-b; reboot"], ["store/$(reboot)-x"]])(
    "refuses %s as a target",
    (published) => {
      const m = machine();
      expect(m.pull(published.startsWith("/") ? published : m.path(published)).code).toBe(1);
      expect(order(m)).toEqual([]);
    },
  );
});
