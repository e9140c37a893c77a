import type { NodeRecord } from "../../src/convert/k3s/kubectl.ts";
import { type ConversionInput, type ConversionPlan, planConversion } from "../../src/convert/plan.ts";
import type { Survey } from "../../src/convert/survey.ts";
import type { Host } from "../../src/inventory/model.ts";
import { someFacts } from "../install/support.ts";
import { aHost, anInventory, sha256, system } from "../support/fleet.ts";

export const BY_ID = "/dev/disk/by-id/ata-CT500_S1";

/** A k3OS node that may be converted, without k3s. */
export const SURVEY: Survey = {
  os: "maculaos",
  root: true,
  tar: "gnu",
  acls: true,
  setsidWait: true,
  luks: false,
  homeFree: 2_000_000,
  role: "none",
  datastore: "none",
  version: null,
  token: false,
  hostKey: true,
  mounts: [],
  sizes: {},
};

export const aK3osHost = (more: Partial<Host> = {}): Host => {
  const base = aHost("riga-peer-02");
  return { ...base, os: "k3os", convert: true, disk: { ...base.disk, device: BY_ID }, ...more };
};

/** What is known of it; say only what a test is about. */
export const aConversion = (more: Partial<ConversionInput> = {}): ConversionPlan => {
  const host = more.host ?? aK3osHost();
  return planConversion({
    id: "i-1",
    inventory: anInventory([host]),
    host,
    revision: "r1",
    now: 0,
    facts: someFacts({ os: { id: "maculaos", version: "v0.22", variant: "" } }),
    systems: new Map([[host.name, { toplevel: system(host.name, "r1"), size: 1 }]]),
    disko: new Map([[host.name, "/nix/store/x-disko"]]),
    digest: sha256,
    survey: SURVEY,
    nodes: [],
    nodesProblem: null,
    server: null,
    needsHuman: [],
    loginKeys: [],
    imported: "",
    targetMinor: "1.35",
    workloadsInGit: false,
    carry: false,
    volumesLimit: 1e6,
    mbps: 100,
    ...more,
  });
};

export const aNode = (name: string, more: Partial<NodeRecord> = {}): NodeRecord => ({
  name,
  uid: `uid-${name}`,
  version: "v1.35.2+k3s1",
  ready: true,
  server: true,
  labels: {},
  cordoned: false,
  ...more,
});

/** As `kubectl get nodes -o json` tells of them. */
export const asJson = (nodes: readonly NodeRecord[]): string =>
  JSON.stringify({
    items: nodes.map((n) => ({
      metadata: {
        name: n.name,
        uid: n.uid,
        labels: { ...n.labels, ...(n.server ? { "node-role.kubernetes.io/control-plane": "true" } : {}) },
      },
      spec: { unschedulable: n.cordoned },
      status: {
        nodeInfo: { kubeletVersion: n.version },
        conditions: [{ type: "Ready", status: n.ready ? "True" : "False" }],
      },
    })),
  });
