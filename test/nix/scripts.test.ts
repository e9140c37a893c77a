import { rmSync, symlinkSync } from "node:fs";
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
    s.write("state/x", "");
    const env = { SYS: s.path("sys"), STATE_DIRECTORY: s.path("state"), MACHINE_ID: machineId, WAIT: "2" };
    return s.run(SCRIPT, [], env).stdout.trim();
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
    s.program("sleep", "exit 0");
    expect(name(s)).toBe("macula-abcdef012345");
    // Not for ever: it is not the name of a card.
    card(s, "eth0", "52:54:00:ff:00:02");
    expect(name(s)).toBe("macula-525400ff0002");
  });

  it("waits for a card that comes late", () => {
    const s = stage();
    card(s, "lo", "00:00:00:00:00:00", false);
    const late = s.path("sys/class/net/usb0");
    s.program("sleep", `mkdir -p "${late}/device"; echo 52:54:00:ff:00:03 >"${late}/address"`);
    expect(name(s)).toBe("macula-525400ff0003");
  });

  it("keeps its name when another card comes, or its own is late, and takes one of a new board", () => {
    const s = stage();
    s.program("sleep", "exit 0");
    card(s, "eth0", "52:54:00:ff:00:02");
    expect(name(s)).toBe("macula-525400ff0002");
    card(s, "eth1", "52:54:00:ff:00:01");
    expect(name(s)).toBe("macula-525400ff0002");
    rmSync(s.path("sys/class/net"), { recursive: true });
    card(s, "lo", "00:00:00:00:00:00", false);
    expect(name(s)).toBe("macula-525400ff0002");
    card(s, "eth0", "52:54:00:ff:00:0a");
    expect(name(s)).toBe("macula-525400ff000a");
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

describe("no-secrets", () => {
  const SCRIPT = "checks/no-secrets.sh";
  /** As a system's /etc: links into the store, to files and to directories; one leads nowhere. */
  const etc = (planted: string) => {
    const s = stage();
    s.write("store/app.conf", "port: 1\n");
    s.write("store/units/app.service", `[Service]\n${planted}\n`);
    s.write("etc/plain", "x\n");
    symlinkSync(s.path("store/app.conf"), s.path("etc/app.conf"));
    symlinkSync(s.path("store/units"), s.path("etc/units"));
    symlinkSync(s.path("store/gone"), s.path("etc/gone"));
    return s.run(SCRIPT, [s.path("etc")]);
  };

  it("passes a system that only says where its secrets lie", () => {
    expect(etc("LoadCredential=token:/var/lib/macula-fleet/secrets/k3s-token")).toMatchObject({
      code: 0,
      stderr: "",
    });
  });

  it.each([
    ["a reference", "Environment=TOKEN=sops:secrets/home.yaml#k3s.token"],
    ["a token", `ExecStart=/bin/k3s --token K10${"0123456789abcdef".repeat(4)}::server:1`],
  ])("finds %s behind a link", (_, planted) => {
    expect(etc(planted)).toMatchObject({ code: 1, stderr: expect.stringContaining("units/app.service") });
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

describe("restarting what a changed secret is used by", () => {
  const SCRIPT = "modules/secrets/restart-changed.sh";
  const activate = (changed?: string) => {
    const s = stage();
    if (changed !== undefined) s.write("changed", changed);
    const units = s.write("units", "/x/token k3s.service agent.service\n/x/token-2 other.service\n");
    s.write("restart", "mine.service\n");
    const env = { MACULA_CHANGED: s.path("changed"), MACULA_UNITS: units, MACULA_RESTART: s.path("restart") };
    expect(s.run(SCRIPT, [], env)).toMatchObject({ code: 0, stderr: "" });
    return { s, restart: () => s.read("restart").trim().split("\n") };
  };

  it("adds the units of exactly these paths to what the activation restarts, once", () => {
    const { s, restart } = activate("/x/token\n/unknown\n/x/token\n");
    expect(restart()).toEqual(["mine.service", "k3s.service", "agent.service"]);
    expect(s.exists("changed")).toBe(false);
  });

  it("adds nothing where nothing changed", () => {
    expect(activate().restart()).toEqual(["mine.service"]);
  });
});
