/** Every kind of health check against a real host. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CheckConfig } from "../../src/inventory/model.ts";
import { Steps } from "../contract/host-driver-steps.ts";
import { type DockerSubject, dockerSubject } from "./host-docker.ts";

const signal = new AbortController().signal;
let subject: DockerSubject;
beforeAll(async () => {
  subject = await dockerSubject("bookworm", "deploy");
});
afterAll(async () => subject?.[Symbol.asyncDispose]());
const steps = new Steps(() => subject);

describe("health checks on a real host", () => {
  it("answers the checks", async () => {
    await subject.exec(`cat > /usr/local/bin/k3s <<'EOF'
#!/bin/sh
# Stand-in for k3s: answers as kubectl does for a node under disk pressure.
printf 'MemoryPressure=False\\nDiskPressure=True\\nReady=True\\n'
EOF
chmod +x /usr/local/bin/k3s; systemd-run --quiet --unit=broken false; sleep 0.5`);
    const checks: CheckConfig[] = [
      { name: "units", type: "systemd" },
      { name: "active", type: "systemd", ignore: ["broken.service"], units: ["macula-node.service"] },
      { name: "inactive", type: "systemd", ignore: ["broken.service"], units: ["nowhere.service"] },
      { name: "ssh", type: "tcp", port: 22 },
      { name: "closed", type: "tcp", port: 1, timeout: 2 },
      { name: "page", type: "http", url: "http://127.0.0.1:8080/healthz", body: "ok" },
      { name: "body", type: "http", url: "http://127.0.0.1:8080/healthz", body: "not that" },
      { name: "status", type: "http", url: "http://127.0.0.1:8080/nowhere" },
      { name: "missing", type: "http", url: "http://127.0.0.1:8080/nowhere", expect: [404] },
      { name: "refused", type: "http", url: "http://127.0.0.1:1/" },
      { name: "true", type: "command", command: `printf '%s\\n' 'it is "fine" \\o/'` },
      { name: "later", type: "command", command: "echo copying; exit 21" },
      { name: "false", type: "command", command: "exit 3" },
      { name: "slow", type: "command", command: "sleep 30", timeout: 1 },
      { name: "node", type: "k3s" },
      { name: "clock", type: "time" },
      { name: "room", type: "disk" },
      { name: "no room", type: "disk", minMiB: 1e9 },
      { name: "peers", type: "mesh", minPeers: 2, command: "echo 2" },
      { name: "json", type: "mesh", minPeers: 3, command: `echo '{"peers": ["a:1", "b:2"]}'` },
      {
        name: "bootstrap",
        type: "mesh",
        count: false,
        bootstrap: ["127.0.0.1:1", "127.0.0.1:22"],
        timeout: 2,
      },
    ];
    const results = await subject.driver.check(subject.host, { signal, checks, baselineFailed: [] });
    await subject.exec("rm /usr/local/bin/k3s; systemctl reset-failed broken.service");
    expect(Object.fromEntries(results.map((r) => [r.name, r.status]))).toEqual({
      units: "failed",
      active: "ok",
      inactive: "failed",
      ssh: "ok",
      closed: "failed",
      page: "ok",
      body: "failed",
      status: "failed",
      missing: "ok",
      refused: "failed",
      true: "ok",
      later: "retry",
      false: "failed",
      slow: "failed",
      node: "failed",
      clock: "retry",
      room: "ok",
      "no room": "failed",
      peers: "ok",
      json: "failed",
      bootstrap: "ok",
    });
    const message = (name: string) => results.find((r) => r.name === name)?.message;
    expect(message("units")).toBe("failed units: broken.service");
    expect(message("true")).toBe('it is "fine" \\o/');
    expect(message("node")).toContain("DiskPressure");
    expect(message("json")).toBe("2 of at least 3 peers");
  });

  it("measures the mesh before an activation and holds the new system to it", async () => {
    const mesh = (n: number): CheckConfig => ({
      name: "mesh",
      type: "mesh",
      minPeers: "80% of baseline",
      command: `echo ${n}`,
    });
    await subject.driver.check(subject.host, { signal, checks: [mesh(10)], baselineFailed: [] });
    const a = await steps.begin("good", { confirmTimeoutMs: 60_000 });
    await steps.activate(a);
    await steps.until(a, "activated");
    const now = async (n: number) => (await steps.check(a, [mesh(n)]))[0];
    expect(await now(8)).toMatchObject({ status: "ok" });
    expect(await now(7)).toMatchObject({ status: "failed", message: "7 of at least 8 peers" });
    await steps.revert(a);
    await steps.until(a, "reverted");
  });

  it("finds open ports also where nc is missing", async () => {
    const checks: CheckConfig[] = [
      { name: "ssh", type: "tcp", port: 22, timeout: 2 },
      { name: "closed", type: "tcp", port: 1, timeout: 2 },
    ];
    await subject.exec(
      'for nc in nc nc.openbsd; do mv "$(command -v $nc)" /root/$nc 2>/dev/null || true; done',
    );
    const results = await subject.driver.check(subject.host, { signal, checks, baselineFailed: [] });
    await subject.exec("for nc in nc nc.openbsd; do mv /root/$nc /usr/bin/ 2>/dev/null || true; done");
    expect(results.map((r) => [r.name, r.status])).toEqual([
      ["ssh", "ok"],
      ["closed", "failed"],
    ]);
  });
});
