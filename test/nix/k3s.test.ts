/** A machine's part in its k3s cluster. */
import { expect, it } from "vitest";
import { list, type Machine, machine, machines, text } from "./machine.ts";
import { describeNix, fixture, refusal, temporaryFile } from "./nix.ts";

const homelab = fixture("homelab");
const module = (text: string): string => temporaryFile("extra.nix", text);

describeNix("k3s on a machine", () => {
  it("opens the cluster's ports by flannel backend, to the cluster's members only", () => {
    const commons = machines(fixture("commons"));
    const rules = (name: string): string =>
      text(commons[name] as Machine, "networking.firewall.extraCommands");
    expect(rules("gent-gw-01")).toContain("-p udp -s 192.168.10.11 --dport 51820 ");
    expect(rules("gent-gw-01")).not.toContain("8472");
    expect(rules("ber-gw-01")).toContain("-p udp -s 198.51.100.11 --dport 8472 ");
    expect(rules("ber-gw-01")).not.toContain("--dport 6443");
    // etcd: servers of the cluster, not its agents.
    expect(rules("ams-gw-01")).toContain("-p tcp -s 203.0.113.11 --dport 2379:2380 ");
    expect(rules("ams-gw-01")).not.toContain("-s 203.0.113.20 --dport 2379");
    expect(rules("ams-peer-01")).not.toContain("2379");
    // A member known by name only is looked up at run time.
    expect(rules("porto-gw-01")).toContain("macula-names");
    expect(commons["porto-gw-01"]?.values["systemd.services.macula-firewall-names.wantedBy"]).toEqual([
      "multi-user.target",
    ]);
    expect(commons["gent-gw-01"]?.values["systemd.services.macula-firewall-names.wantedBy"]).toBeUndefined();
    // Nodes that share images find each other on the API's port, agents too.
    const shared = machine(fixture("commons"), "ams-peer-01", {
      extra: module("{ macula.k3s.embeddedRegistry = true; }"),
    });
    const sharing = text(shared, "networking.firewall.extraCommands");
    expect(sharing).toContain("--dport 6443");
    expect(sharing).toContain("--dport 5001");
    expect(rules("ams-peer-01")).not.toContain("6443");
    const alone = machine(fixture("retail"), "store-001");
    expect(alone.values["networking.firewall.extraCommands"]).toBeUndefined();
  });

  it("starts a cluster once and joins it elsewhere, with the token in a file", () => {
    const { "ams-boot-01": first, "ams-gw-01": second, "ams-peer-01": agent } = machines(fixture("commons"));
    const file = "/var/lib/macula-fleet/secrets/k3s-token";
    expect(first?.values).toMatchObject({ "services.k3s.clusterInit": true, "services.k3s.tokenFile": file });
    expect(first?.values["services.k3s.serverAddr"]).toBeUndefined();
    expect(second?.values).toMatchObject({
      "services.k3s.role": "server",
      "services.k3s.clusterInit": false,
      "services.k3s.serverAddr": "https://203.0.113.11:6443",
    });
    expect(agent?.values).toMatchObject({
      "services.k3s.role": "agent",
      "services.k3s.serverAddr": "https://203.0.113.11:6443",
      "services.k3s.tokenFile": file,
    });
    expect(agent?.values["services.k3s.disable"]).toBeUndefined();
    expect(list(agent as Machine, "services.k3s.extraFlags")).toEqual([]);
    const solo = machine(fixture("retail"), "store-121");
    expect(solo.values["services.k3s.clusterInit"]).toBe(false);
    expect(solo.values["services.k3s.serverAddr"]).toBeUndefined();
    expect(solo.secrets).toEqual({});
  });

  it("lets agents in with their own token where the cluster has one, and knows the servers' nowhere else", () => {
    const { "ams-gw-01": server, "ams-peer-01": agent, "gent-peer-01": plain } = machines(fixture("commons"));
    const tokens = (m?: Machine) =>
      Object.fromEntries(Object.entries(m?.secrets ?? {}).map(([name, slot]) => [name, slot.ref]));
    expect(tokens(server)).toMatchObject({
      "k3s-token": "sops:secrets/ams.yaml#k3s.token",
      "k3s-agent-token": "sops:secrets/ams.yaml#k3s.agentToken",
    });
    expect(server?.values["services.k3s.agentTokenFile"]).toMatch(/\/k3s-agent-token$/);
    expect(tokens(agent)).toEqual({ "k3s-token": "sops:secrets/ams.yaml#k3s.agentToken" });
    expect(agent?.values["services.k3s.agentTokenFile"]).toBeUndefined();
    expect(tokens(plain)).toMatchObject({ "k3s-token": "sops:secrets/gent.yaml#k3s.token" });
  });

  it("tells servers where an outside datastore is, by a file, and agents nothing", () => {
    const { "ber-boot-01": server, "ber-gw-01": agent } = machines(fixture("commons"));
    const file = "/var/lib/macula-fleet/secrets/k3s-datastore";
    expect(server?.values["services.k3s.environmentFile"]).toBe(file);
    expect(server?.secrets["k3s-datastore"]).toMatchObject({
      entries: { K3S_DATASTORE_ENDPOINT: "sops:secrets/ber.yaml#k3s.datastore" },
      path: file,
      units: ["k3s.service"],
    });
    expect(server?.values["services.k3s.clusterInit"]).toBe(false);
    expect(agent?.secrets["k3s-datastore"]).toBeUndefined();
    expect(agent?.values["services.k3s.environmentFile"]).toBeUndefined();
    const untold = module("{ lib, ... }: { macula.k3s.datastoreRef = lib.mkForce null; }");
    expect(machine(fixture("commons"), "ber-boot-01", { extra: untold }).failed).toEqual([
      expect.stringContaining("datastore is external"),
    ]);
  });

  it("drops the labels that made k3OS upgrade itself, and refuses those a kubelet may not set", () => {
    const labelled = module(
      '{ macula.k3s.labels = { "macula.io/mode" = "x"; "k3os.io/mode" = "y"; "macula.io/region" = "home"; }; }',
    );
    const m = machine(homelab, "node-03", { extra: labelled });
    expect(list(m, "services.k3s.nodeLabel")).toEqual([
      "macula.io/region=home",
      "macula.io/role=edge",
      "macula.io/roles=peer",
    ]);
    const refused = module('{ macula.k3s.labels."node-role.kubernetes.io/edge" = "true"; }');
    expect(machine(homelab, "node-03", { extra: refused }).failed).toEqual([
      expect.stringContaining("node-role.kubernetes.io/edge"),
    ]);
  });

  it("merges flags with another module's instead of clashing with them", () => {
    const m = machine(homelab, "node-01", { extra: module('{ services.k3s.extraFlags = [ "--debug" ]; }') });
    expect(list(m, "services.k3s.extraFlags")).toEqual(
      expect.arrayContaining(["--debug", "--flannel-backend=vxlan", "--write-kubeconfig-mode=0640"]),
    );
  });

  it("deploys the Console from one server of a cluster", () => {
    const image = module('{ services.macula.console.image = "registry.example/console:1.4.0"; }');
    const manifest = "services.k3s.manifests.macula-console.content";
    expect(machine(homelab, "node-01", { extra: image }).values[manifest]).toHaveLength(3);
    expect(machine(homelab, "node-02", { extra: image }).values[manifest]).toBeUndefined();
    const commons = machine(fixture("commons"), "ams-gw-01", { extra: image });
    expect(commons.values[manifest]).toBeUndefined();
    const moving = module('{ services.macula.console.image = "registry.example/console"; }');
    expect(refusal(() => machine(homelab, "node-01", { extra: moving }))).toContain(
      "services.macula.console.image",
    );
  });
});
