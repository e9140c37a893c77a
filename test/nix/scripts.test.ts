import { describe, expect, it } from "vitest";
import { stage } from "./shims.ts";

describe("macula-hostname", () => {
  const SCRIPT = "modules/hostname/macula-hostname.sh";
  const card = (s: ReturnType<typeof stage>, name: string, mac: string, physical = true): void => {
    s.write(`sys/class/net/${name}/address`, `${mac}\n`);
    if (physical) s.write(`sys/class/net/${name}/device/x`, "");
  };
  const name = (s: ReturnType<typeof stage>): string => {
    s.program("hostname", "exit 0");
    const machineId = s.write("machine-id", "abcdef0123456789\n");
    return s.run(SCRIPT, [], { SYS: s.path("sys"), MACHINE_ID: machineId }).stdout.trim();
  };

  it("takes the lowest physical card, whatever the kernel calls it", () => {
    const s = stage();
    card(s, "lo", "00:00:00:00:00:00", false);
    card(s, "cni0", "02:00:00:00:00:01", false);
    card(s, "enp3s0", "52:54:00:ff:00:02");
    card(s, "eth9", "52:54:00:ff:00:01");
    expect(name(s)).toBe("macula-525400ff0001");
    expect(s.calls()).toEqual(["hostname macula-525400ff0001"]);
  });

  it("has another unique name for a machine without a card", () => {
    const s = stage();
    card(s, "lo", "00:00:00:00:00:00", false);
    expect(name(s)).toBe("macula-abcdef012345");
  });
});

describe("macula-firewall-names", () => {
  const SCRIPT = "modules/firewall/macula-firewall-names.sh";
  const prepare = () => {
    const s = stage();
    s.program("iptables-restore", `cat >"${s.path("v4")}"`);
    s.program("ip6tables-restore", `cat >"${s.path("v6")}"`);
    s.program(
      "getent",
      'case $2 in a.lan) printf "10.0.0.2 STREAM\\n10.0.0.2 DGRAM\\nfd00::2 STREAM\\n";; *) exit 2;; esac',
    );
    const conf = s.write("conf", "tcp 10250 10250 a.lan\nudp 8472 8472 a.lan\n");
    const run = () => s.run(SCRIPT, [conf], { CACHE_DIRECTORY: s.path("cache") });
    return { s, run };
  };

  it("lets each address of each name in, in one transaction per family", () => {
    const { s, run } = prepare();
    expect(run().code).toBe(0);
    expect(s.read("v4").trim().split("\n")).toEqual([
      "*filter",
      ":macula-names - [0:0]",
      "-A macula-names -p tcp -s 10.0.0.2 --dport 10250:10250 -j ACCEPT",
      "-A macula-names -p udp -s 10.0.0.2 --dport 8472:8472 -j ACCEPT",
      "COMMIT",
    ]);
    expect(s.read("v6")).toContain("-s fd00::2 --dport 8472:8472 -j ACCEPT");
  });

  it("keeps the last addresses while the name server is away", () => {
    const { s, run } = prepare();
    run();
    s.program("getent", "exit 2");
    expect(run().code).toBe(0);
    expect(s.read("v4")).toContain("10.0.0.2");
  });

  it("opens nothing for a name that never resolved", () => {
    const { s, run } = prepare();
    s.program("getent", "exit 2");
    expect(run()).toMatchObject({ code: 0, stderr: expect.stringContaining("a.lan does not resolve") });
    expect(s.read("v4")).not.toContain("-A");
  });
});

describe("size-budget", () => {
  const SCRIPT = "checks/size-budget.sh";
  const image = (bytes: number) => {
    const s = stage();
    s.write("iso/x.iso", "a".repeat(bytes));
    s.write("path-big/x", "b".repeat(3_000_000));
    s.write("path-small/x", "b");
    const paths = s.write("store-paths", `${s.path("path-small")}\n${s.path("path-big")}\n`);
    return (budget: string) => s.run(SCRIPT, ["iso", s.path("iso/*.iso"), budget, paths]);
  };

  it("passes an image within its budget and shows what fills it, largest first", () => {
    const run = image(1_048_576)("1");
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/iso: 1 MiB of 1 MiB[\s\S]*path-big\n[\s\S]*path-small/);
  });

  it("fails one byte above it", () => {
    expect(image(1_048_577)("1")).toMatchObject({ code: 1, stderr: "iso is 1 MiB over its budget\n" });
  });

  it("fails when there is no image, or two", () => {
    const s = stage();
    expect(s.run(SCRIPT, ["iso", s.path("iso/*.iso"), "1"]).code).toBe(1);
    s.write("iso/a.iso", "");
    s.write("iso/b.iso", "");
    expect(s.run(SCRIPT, ["iso", s.path("iso/*.iso"), "1"]).code).toBe(1);
  });
});
