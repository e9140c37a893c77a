import { readFileSync, symlinkSync, unlinkSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Outcome, type Stage, stage } from "./shims.ts";

const SCRIPT = "modules/pull/macula-pull.sh";

interface Machine extends Stage {
  readonly target: string;
  pull(target?: string): Outcome;
  /** What state.json says. */
  record(fields: Readonly<Record<string, string | number>>): void;
  /** Units that are active. */
  alive(...units: string[]): void;
  runs(system: string): void;
}

/** A machine on system `a`, told to go to `b`, where everything works; the host protocol is a stand-in. */
function machine(): Machine {
  const s = stage();
  const say = (text: string) => `echo "${text}" >>"${s.path("order")}"`;
  const phase = (name: string) =>
    `sed -i 's/"phase": .*/"phase": "${name}",/' "${s.path("state/state.json")}"`;
  s.write("order", "");
  s.write("units", "");
  s.write(
    "protocol/activate.sh",
    `${say("activate $FROM $TO $CONFIRM_TIMEOUT, attempt $ATTEMPT, fence $FENCE, trying $(cat $S/pull-trying)")}
mkdir -p "${s.path("run/pull")}"
read -r up _ </proc/uptime
echo $((\${up%.*} + CONFIRM_TIMEOUT)) >"${s.path("run/pull/deadline")}"
printf '{\\n  "rollout": "%s",\\n  "attempt": %s,\\n  "fence": %s,\\n  "from": "%s",\\n  "to": "%s",\\n  "phase": "activated",\\n  "rc": 0\\n}\\n' \
  "$RUN" "$ATTEMPT" "$FENCE" "$FROM" "$TO" >"$S/state.json"\n`,
  );
  s.write("protocol/commit.sh", `${say("commit $TO")}; ${phase("committed")}\n`);
  s.write("protocol/revert.sh", `${say("revert to $FROM, $REASON")}; ${phase("reverted")}\n`);
  s.program("store/h-b/sw/bin/macula-health", "exit 0");
  symlinkSync(s.path("store/h-a"), s.path("current"));
  symlinkSync(s.path("store/h-a"), s.path("profile"));
  s.program("curl", `case "$*" in *"-o /dev/null"*) ;; *) cat "${s.path("published")}" ;; esac`);
  s.program("nix-store", "exit 0");
  s.program("systemctl", `grep -qx "$5" "${s.path("units")}" && echo active || echo inactive`);
  const target = s.path("store/h-b");
  return {
    ...s,
    target,
    pull(published = target) {
      s.write("published", `${published}\n`);
      return s.run(SCRIPT, ["https://cache.example/x", "600"], {
        S: s.path("state"),
        MACULA_PROTOCOL: s.path("protocol"),
        MACULA_PROFILE: s.path("profile"),
        MACULA_CURRENT: s.path("current"),
        MACULA_STATE: s.path("state"),
        MACULA_RUN: s.path("run"),
        MACULA_ROOTS: s.path("roots"),
        MACULA_STORE: s.path("store"),
      });
    },
    record(fields) {
      const lines = Object.entries(fields).map(([name, value]) => `  "${name}": ${JSON.stringify(value)}`);
      s.write("state/state.json", `{\n${lines.join(",\n")}\n}\n`);
    },
    alive: (...units) => void s.write("units", units.map((unit) => `macula-fleet-pull-${unit}\n`).join("")),
    runs(system) {
      unlinkSync(s.path("current"));
      symlinkSync(s.path(`store/${system}`), s.path("current"));
    },
  };
}
const order = (m: Stage): readonly string[] => m.read("order").split("\n").filter(Boolean);
const kinds = (m: Stage): readonly string[] => order(m).map((line) => line.split(" ")[0] ?? "");

/** A trial of `b` as the record has it. */
const trial = (m: Machine, phase: string) => ({
  ...{ rollout: "pull", attempt: 4, fence: 9, from: m.path("store/h-a"), to: m.target, phase, rc: 0 },
});
/** The way back strikes in `seconds` of uptime from now. */
const deadline = (m: Stage, seconds: number) =>
  m.write(
    "run/pull/deadline",
    `${Math.floor(Number(readFileSync("/proc/uptime", "utf8").split(".")[0])) + seconds}\n`,
  );

describe("macula-pull", () => {
  it("tries with the way back armed, judges, then commits", () => {
    const m = machine();
    const run = m.pull();
    expect(run).toMatchObject({ code: 0, stdout: `committed ${m.target}\n` });
    const a = m.path("store/h-a");
    expect(order(m)).toEqual([
      // Remembered before anything changes.
      `activate ${a} ${m.target} 600, attempt 1, fence 0, trying ${m.target}`,
      `commit ${m.target}`,
    ]);
    expect([m.exists("state/pull-trying"), m.exists("state/pull-bad")]).toEqual([false, false]);
  });

  it("judges for what the activation has left of its time, less what a commit needs", () => {
    const m = machine();
    m.write(
      "protocol/activate.sh",
      `${m.read("protocol/activate.sh")}
echo $((\${up%.*} + CONFIRM_TIMEOUT - 300)) >"${m.path("run/pull/deadline")}"\n`,
    );
    expect(m.pull().code).toBe(0);
    const wait = Number(
      m
        .calls()
        .find((call) => call.startsWith("macula-health"))
        ?.split(" ")
        .at(-1),
    );
    expect(wait).toBeGreaterThan(250);
    expect(wait).toBeLessThanOrEqual(270);
  });

  it("goes back from an activation that took all of its time, healthy or not", () => {
    const m = machine();
    m.write(
      "protocol/activate.sh",
      `${m.read("protocol/activate.sh")}
echo $((\${up%.*} + 20)) >"${m.path("run/pull/deadline")}"\n`,
    );
    expect(m.pull()).toMatchObject({ code: 1, stdout: expect.stringContaining("took too long") });
    expect(kinds(m)).toEqual(["activate", "revert"]);
  });

  it("goes on from the attempt and the fence that were here last", () => {
    const m = machine();
    m.record({ ...trial(m, "committed"), to: m.path("store/h-0") });
    m.pull();
    expect(order(m)[0]).toContain("attempt 5, fence 9");
  });

  it("goes back from an unhealthy system, and does not try it again", () => {
    const m = machine();
    m.program("store/h-b/sw/bin/macula-health", "exit 1");
    expect(m.pull().code).toBe(1);
    expect(kinds(m)).toEqual(["activate", "revert"]);
    expect(order(m).at(-1)).toBe(`revert to ${m.path("store/h-a")}, health`);
    expect(m.pull()).toMatchObject({ code: 0, stdout: expect.stringContaining("failed here before") });
    expect(order(m)).toHaveLength(2);
    m.program("store/h-c/sw/bin/macula-health", "exit 0");
    expect(m.pull(m.path("store/h-c"))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("committed"),
    });
    expect(m.exists("state/pull-bad")).toBe(false);
  });

  it("goes back from a system without macula-health", () => {
    const m = machine();
    unlinkSync(m.path("store/h-b/sw/bin/macula-health"));
    expect(m.pull().code).toBe(1);
    expect(kinds(m)).toEqual(["activate", "revert"]);
  });

  it("leaves the decision to the way back once that has begun", () => {
    const m = machine();
    m.write(
      "protocol/activate.sh",
      `${m.read("protocol/activate.sh")}
sed -i 's/activated/reverting/' "$S/state.json"\n`,
    );
    expect(m.pull()).toMatchObject({ code: 1, stdout: expect.stringContaining("went back") });
    expect(kinds(m)).toEqual(["activate"]);
    expect(m.read("state/pull-bad")).toBe(`${m.target}\n`);
    const late = machine();
    late.write("protocol/commit.sh", "exit 49\n");
    expect(late.pull()).toMatchObject({ code: 1, stdout: expect.stringContaining("could not be committed") });
    expect(late.read("state/pull-bad")).toBe(`${late.target}\n`);
  });

  it("goes back when activation fails, also without a word", () => {
    const m = machine();
    m.write(
      "protocol/activate.sh",
      `${m.read("protocol/activate.sh")}
sed -i 's/activated/activating/' "$S/state.json"\n`,
    );
    expect(m.pull()).toMatchObject({ code: 1, stdout: expect.stringContaining("did not end well") });
    expect(order(m).at(-1)).toBe(`revert to ${m.path("store/h-a")}, activation`);
  });

  it("goes back when the new system cannot ask any more", () => {
    const m = machine();
    m.program(
      "curl",
      `[ -e "${m.path("asked")}" ] && exit 7; : >"${m.path("asked")}"; cat "${m.path("published")}"`,
    );
    expect(m.pull().code).toBe(1);
    expect(kinds(m)).toEqual(["activate", "revert"]);
  });

  it.each(["activating", "activated"])("does not repeat a trial that died while it was %s", (phase) => {
    const m = machine();
    m.record(trial(m, phase));
    m.write("state/pull-trying", `${m.target}\n`);
    const run = m.pull();
    expect(run).toMatchObject({ code: 0, stdout: expect.stringContaining("was cut off") });
    expect(run.stdout).toContain("failed here before");
    expect(order(m)).toEqual([]);
    expect(m.pull()).toMatchObject({ code: 0, stdout: expect.stringContaining("failed here before") });
    expect(order(m)).toEqual([]);
  });

  it("does not repeat a trial that died, even when a rollout was here since", () => {
    const m = machine();
    m.record({ ...trial(m, "committed"), rollout: "r-1" });
    m.write("state/pull-trying", `${m.target}\n`);
    expect(m.pull().stdout).toContain("failed here before");
    expect(order(m)).toEqual([]);
  });

  it("goes on judging a trial whose judge was ended", () => {
    const m = machine();
    m.record(trial(m, "activated"));
    m.write("state/pull-trying", `${m.target}\n`);
    deadline(m, 300);
    m.alive("revert.timer");
    expect(m.pull()).toMatchObject({ code: 0, stdout: `committed ${m.target}\n` });
    expect(order(m)).toEqual([`commit ${m.target}`]);
  });

  it("ends a trial that nothing would bring back", () => {
    const m = machine();
    m.record(trial(m, "activated"));
    m.runs("h-b");
    expect(m.pull()).toMatchObject({ code: 1, stdout: expect.stringContaining("unguarded") });
    expect(order(m)).toEqual([`revert to ${m.path("store/h-a")}, unguarded`]);
  });

  it("leaves a machine alone that is going back, and believes a commit nobody heard of", () => {
    const back = machine();
    back.record(trial(back, "reverting"));
    back.alive("revert.service");
    expect(back.pull()).toMatchObject({ code: 0, stdout: expect.stringContaining("going back") });
    expect(order(back)).toEqual([]);
    const done = machine();
    done.record(trial(done, "committed"));
    done.write("state/pull-trying", `${done.target}\n`);
    done.runs("h-b");
    expect(done.pull().stdout).toContain("committed");
    expect(done.exists("state/pull-bad")).toBe(false);
  });

  it("changes nothing when the way back cannot be armed, or the closure is refused", () => {
    const unarmed = machine();
    unarmed.write("protocol/activate.sh", "exit 47\n");
    expect(unarmed.pull()).toMatchObject({ code: 1, stdout: "nothing changed\n" });
    expect([unarmed.exists("state/pull-trying"), unarmed.exists("state/pull-bad")]).toEqual([false, false]);
    const busy = machine();
    busy.write("protocol/activate.sh", "exit 42\n");
    expect(busy.pull()).toMatchObject({ code: 0, stdout: "nothing changed\n" });
    const unwilling = machine();
    const says = "macula-fleet: not now: the shop is open (10-shop)";
    const agrees = unwilling.read("protocol/activate.sh");
    unwilling.write("protocol/activate.sh", `echo "${says}" >&2; exit 52\n`);
    expect(unwilling.pull()).toMatchObject({ code: 0, stdout: "nothing changed\n" });
    expect([unwilling.exists("state/pull-trying"), unwilling.exists("state/pull-bad")]).toEqual([
      false,
      false,
    ]);
    // It is asked again the next time, and nothing is held against the target.
    unwilling.write("protocol/activate.sh", agrees);
    expect(unwilling.pull().stdout).toBe(`committed ${unwilling.target}\n`);
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
