import type { CatalogEntry } from "./command.ts";

const START = "Start";
const CHANGE = "Change the fleet";
const ROLLOUT = "Steer a rollout";
const LOOK = "Look";
const HOSTS = "Single hosts";
const LAB = "Lab";

/** Every command there is, in the order help shows them. Adding one: one file in `commands/` and one line here. */
export const CATALOG: readonly CatalogEntry[] = [
  {
    path: "init",
    group: START,
    summary: "start a new fleet: inventory and flake",
    load: () => import("./commands/init.ts"),
  },
  {
    path: "inventory validate",
    group: START,
    summary: "check an inventory and show every problem",
    load: () => import("./commands/inventory-validate.ts"),
  },
  {
    path: "inventory list",
    group: START,
    summary: "list hosts as the inventory resolves them",
    load: () => import("./commands/inventory-list.ts"),
  },
  {
    path: "inventory show",
    group: START,
    summary: "show one host with everything merged",
    load: () => import("./commands/inventory-show.ts"),
  },
  {
    path: "inventory graph",
    group: START,
    summary: "show sites, groups and bastions as a tree",
    load: () => import("./commands/inventory-graph.ts"),
  },
  {
    path: "inventory schema",
    group: START,
    summary: "print the JSON Schema for editors",
    load: () => import("./commands/inventory-schema.ts"),
  },
  {
    path: "demo",
    group: START,
    summary: "a narrated tour on a simulated fleet",
    load: () => import("./commands/demo.ts"),
  },
  {
    path: "completion",
    group: START,
    summary: "completion for bash, zsh and fish",
    load: () => import("./commands/completion.ts"),
  },

  {
    path: "preflight",
    group: CHANGE,
    summary: "is every host ready to be installed or rolled out to",
    load: () => import("./commands/preflight.ts"),
  },
  {
    path: "discover",
    group: START,
    summary: "machines that announce themselves on this network (mDNS)",
    load: () => import("./commands/discover.ts"),
  },
  {
    path: "adopt",
    group: START,
    summary: "make an inventory entry of a machine that answers",
    load: () => import("./commands/adopt.ts"),
  },
  {
    path: "image build",
    group: START,
    summary: "build an installer ISO or an SD card image",
    load: () => import("./commands/image-build.ts"),
  },
  {
    path: "image write",
    group: START,
    summary: "write an image to a removable disk and read it back",
    load: () => import("./commands/image-write.ts"),
  },
  {
    path: "image test",
    group: START,
    summary: "boot an image in QEMU and see whether it comes up",
    load: () => import("./commands/image-test.ts"),
  },

  {
    path: "install",
    group: CHANGE,
    summary: "install NixOS on the inventory's machines (wraps nixos-anywhere)",
    load: () => import("./commands/install.ts"),
  },
  {
    path: "build",
    group: CHANGE,
    summary: "build the systems of hosts",
    load: () => import("./commands/build.ts"),
  },
  {
    path: "push",
    group: CHANGE,
    summary: "copy systems ahead: to hosts, or to a binary cache",
    load: () => import("./commands/push.ts"),
  },
  {
    path: "ci build",
    group: CHANGE,
    summary: "for pipelines: build the systems a commit changes",
    load: () => import("./commands/ci-build.ts"),
  },
  {
    path: "ci push",
    group: CHANGE,
    summary: "for pipelines: push them to the signed cache",
    load: () => import("./commands/ci-push.ts"),
  },
  {
    path: "import",
    group: CHANGE,
    summary: "read a k3OS node's configuration into an inventory",
    load: () => import("./commands/import.ts"),
  },
  {
    path: "convert",
    group: CHANGE,
    summary: "turn a running k3OS node into a NixOS one, keeping what matters",
    load: () => import("./commands/convert.ts"),
  },
  {
    path: "replace",
    group: CHANGE,
    summary: "new hardware for a host, under its old identity",
    load: () => import("./commands/replace.ts"),
  },
  {
    path: "retire",
    group: CHANGE,
    summary: "take a host out of the fleet, if it can be spared",
    load: () => import("./commands/retire.ts"),
  },
  {
    path: "plan",
    group: CHANGE,
    summary: "show what a rollout would do, and why",
    load: () => import("./commands/plan.ts"),
  },
  {
    path: "rollout",
    group: CHANGE,
    summary: "change the fleet in waves; a bad host reverts itself",
    load: () => import("./commands/rollout.ts"),
  },
  {
    path: "reconcile",
    group: CHANGE,
    summary: "catch up hosts that were away during a rollout",
    load: () => import("./commands/reconcile.ts"),
  },
  {
    path: "rollback",
    group: CHANGE,
    summary: "put single hosts back on an earlier system",
    load: () => import("./commands/rollback.ts"),
  },

  {
    path: "rollout status",
    group: ROLLOUT,
    summary: "where a rollout stands",
    load: () => import("./commands/rollout-status.ts"),
  },
  {
    path: "rollout history",
    group: ROLLOUT,
    summary: "list the runs of this fleet",
    load: () => import("./commands/rollout-history.ts"),
  },
  {
    path: "rollout watch",
    group: ROLLOUT,
    summary: "follow a rollout another process drives",
    load: () => import("./commands/rollout-watch.ts"),
  },
  {
    path: "rollout pause",
    group: ROLLOUT,
    summary: "start nothing new; hosts in flight finish",
    load: () => import("./commands/rollout-pause.ts"),
  },
  {
    path: "rollout resume",
    group: ROLLOUT,
    summary: "go on after a pause or a crash",
    load: () => import("./commands/rollout-resume.ts"),
  },
  {
    path: "rollout promote",
    group: ROLLOUT,
    summary: "pass the gate a rollout waits at",
    load: () => import("./commands/rollout-promote.ts"),
  },
  {
    path: "rollout abort",
    group: ROLLOUT,
    summary: "end a rollout; updated hosts stay",
    load: () => import("./commands/rollout-abort.ts"),
  },
  {
    path: "rollout retry",
    group: ROLLOUT,
    summary: "try failed and deferred hosts again",
    load: () => import("./commands/rollout-retry.ts"),
  },
  {
    path: "rollout undo",
    group: ROLLOUT,
    summary: "put back every host a rollout changed",
    load: () => import("./commands/rollout-undo.ts"),
  },

  {
    path: "status",
    group: LOOK,
    summary: "what every host runs, and how it is",
    load: () => import("./commands/status.ts"),
  },
  {
    path: "generations",
    group: LOOK,
    summary: "systems the hosts have, and could go back to",
    load: () => import("./commands/generations.ts"),
  },
  {
    path: "drift",
    group: LOOK,
    summary: "where hosts are not what the fleet made them",
    load: () => import("./commands/drift.ts"),
  },
  {
    path: "serve",
    group: LOOK,
    summary: "a page, an event stream and metrics for browsers and monitors",
    load: () => import("./commands/serve.ts"),
  },

  {
    path: "exec",
    group: HOSTS,
    summary: "run a command on many hosts",
    load: () => import("./commands/exec.ts"),
  },
  {
    path: "ssh",
    group: HOSTS,
    summary: "log in to one host",
    load: () => import("./commands/ssh.ts"),
  },
  {
    path: "reboot",
    group: HOSTS,
    summary: "restart hosts within the limits, and see them come back",
    load: () => import("./commands/reboot.ts"),
  },
  {
    path: "hold",
    group: HOSTS,
    summary: "keep rollouts away from hosts",
    load: () => import("./commands/hold.ts"),
  },
  {
    path: "unhold",
    group: HOSTS,
    summary: "let rollouts at them again",
    load: () => import("./commands/unhold.ts"),
  },
  {
    path: "lock",
    group: HOSTS,
    summary: "keep everybody else away from hosts",
    load: () => import("./commands/lock.ts"),
  },
  {
    path: "unlock",
    group: HOSTS,
    summary: "take a lock off",
    load: () => import("./commands/unlock.ts"),
  },
  {
    path: "gc",
    group: HOSTS,
    summary: "delete old generations, never what a rollback needs",
    load: () => import("./commands/gc.ts"),
  },

  {
    path: "lab up",
    group: LAB,
    summary: "start a simulated fleet on loopback",
    load: () => import("./commands/lab-up.ts"),
  },
  {
    path: "lab down",
    group: LAB,
    summary: "stop it and remove what it made",
    load: () => import("./commands/lab-down.ts"),
  },
  {
    path: "lab status",
    group: LAB,
    summary: "what the lab's hosts run",
    load: () => import("./commands/lab-status.ts"),
  },
  {
    path: "lab fault",
    group: LAB,
    summary: "break a lab host on purpose",
    load: () => import("./commands/lab-fault.ts"),
  },
  {
    path: "lab release",
    group: LAB,
    summary: "make a new release of the lab's flake",
    load: () => import("./commands/lab-release.ts"),
  },
];
