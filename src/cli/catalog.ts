import type { CatalogEntry } from "./command.ts";

const START = "Start";
const CHANGE = "Change the fleet";
const ROLLOUT = "Steer a rollout";
const LOOK = "Look";
const HOSTS = "Single hosts";
const LAB = "Lab";

function entry(path: string, group: string, summary: string, load: CatalogEntry["load"]): CatalogEntry {
  return { path, group, summary, load };
}

/** Every command there is, in the order help shows them. Adding one: one file in `commands/` and one line here. */
export const CATALOG: readonly CatalogEntry[] = [
  entry("init", START, "start a new fleet: inventory and flake", () => import("./commands/init.ts")),
  entry(
    "inventory validate",
    START,
    "check an inventory and show every problem",
    () => import("./commands/inventory-validate.ts"),
  ),
  entry(
    "inventory list",
    START,
    "list hosts as the inventory resolves them",
    () => import("./commands/inventory-list.ts"),
  ),
  entry(
    "inventory show",
    START,
    "show one host with everything merged",
    () => import("./commands/inventory-show.ts"),
  ),
  entry(
    "inventory graph",
    START,
    "show sites, groups and bastions as a tree",
    () => import("./commands/inventory-graph.ts"),
  ),
  entry(
    "inventory resolve",
    START,
    "print the inventory as Nix reads it",
    () => import("./commands/inventory-resolve.ts"),
  ),
  entry(
    "inventory schema",
    START,
    "print the JSON Schema for editors",
    () => import("./commands/inventory-schema.ts"),
  ),
  entry("demo", START, "a narrated tour on a simulated fleet", () => import("./commands/demo.ts")),
  entry("completion", START, "completion for bash, zsh and fish", () => import("./commands/completion.ts")),

  entry(
    "preflight",
    CHANGE,
    "is every host ready to be installed or rolled out to",
    () => import("./commands/preflight.ts"),
  ),
  entry(
    "discover",
    START,
    "machines that announce themselves on this network (mDNS)",
    () => import("./commands/discover.ts"),
  ),
  entry(
    "adopt",
    START,
    "make an inventory entry of a machine that answers",
    () => import("./commands/adopt.ts"),
  ),
  entry(
    "image build",
    START,
    "build an installer ISO or an SD card image",
    () => import("./commands/image-build.ts"),
  ),
  entry(
    "image write",
    START,
    "write an image to a removable disk and read it back",
    () => import("./commands/image-write.ts"),
  ),
  entry(
    "image test",
    START,
    "boot an image in QEMU and see whether it comes up",
    () => import("./commands/image-test.ts"),
  ),

  entry(
    "install",
    CHANGE,
    "install NixOS on the inventory's machines (wraps nixos-anywhere)",
    () => import("./commands/install.ts"),
  ),
  entry("build", CHANGE, "build the systems of hosts", () => import("./commands/build.ts")),
  entry(
    "push",
    CHANGE,
    "copy systems ahead: to hosts, or to a binary cache",
    () => import("./commands/push.ts"),
  ),
  entry(
    "secrets push",
    CHANGE,
    "bring the inventory's secrets to hosts, and restart what uses a changed one",
    () => import("./commands/secrets-push.ts"),
  ),
  entry(
    "ci build",
    CHANGE,
    "for pipelines: build the systems a commit changes",
    () => import("./commands/ci-build.ts"),
  ),
  entry(
    "ci push",
    CHANGE,
    "for pipelines: push them to the signed cache",
    () => import("./commands/ci-push.ts"),
  ),
  entry(
    "import",
    CHANGE,
    "read a k3OS node's configuration into an inventory",
    () => import("./commands/import.ts"),
  ),
  entry(
    "convert",
    CHANGE,
    "turn a running k3OS node into a NixOS one, keeping what matters",
    () => import("./commands/convert.ts"),
  ),
  entry(
    "replace",
    CHANGE,
    "new hardware for a host, under its old identity",
    () => import("./commands/replace.ts"),
  ),
  entry(
    "retire",
    CHANGE,
    "take a host out of the fleet, if it can be spared",
    () => import("./commands/retire.ts"),
  ),
  entry(
    "simulate",
    CHANGE,
    "play a rollout through on a model of this fleet",
    () => import("./commands/simulate.ts"),
  ),
  entry("plan", CHANGE, "show what a rollout would do, and why", () => import("./commands/plan.ts")),
  entry(
    "rollout",
    CHANGE,
    "change the fleet in waves; a bad host reverts itself",
    () => import("./commands/rollout.ts"),
  ),
  entry(
    "reconcile",
    CHANGE,
    "catch up hosts that were away during a rollout",
    () => import("./commands/reconcile.ts"),
  ),
  entry(
    "rollback",
    CHANGE,
    "put single hosts back on an earlier system",
    () => import("./commands/rollback.ts"),
  ),

  entry("rollout status", ROLLOUT, "where a rollout stands", () => import("./commands/rollout-status.ts")),
  entry(
    "rollout history",
    ROLLOUT,
    "list the runs of this fleet",
    () => import("./commands/rollout-history.ts"),
  ),
  entry(
    "rollout watch",
    ROLLOUT,
    "follow a rollout another process drives",
    () => import("./commands/rollout-watch.ts"),
  ),
  entry(
    "rollout pause",
    ROLLOUT,
    "start nothing new; hosts in flight finish",
    () => import("./commands/rollout-pause.ts"),
  ),
  entry(
    "rollout resume",
    ROLLOUT,
    "go on after a pause or a crash",
    () => import("./commands/rollout-resume.ts"),
  ),
  entry(
    "rollout promote",
    ROLLOUT,
    "pass the gate a rollout waits at",
    () => import("./commands/rollout-promote.ts"),
  ),
  entry(
    "rollout abort",
    ROLLOUT,
    "end a rollout; updated hosts stay",
    () => import("./commands/rollout-abort.ts"),
  ),
  entry(
    "rollout retry",
    ROLLOUT,
    "try failed and deferred hosts again",
    () => import("./commands/rollout-retry.ts"),
  ),
  entry(
    "rollout undo",
    ROLLOUT,
    "put back every host a rollout changed",
    () => import("./commands/rollout-undo.ts"),
  ),

  entry("status", LOOK, "what every host runs, and how it is", () => import("./commands/status.ts")),
  entry(
    "generations",
    LOOK,
    "systems the hosts have, and could go back to",
    () => import("./commands/generations.ts"),
  ),
  entry("drift", LOOK, "where hosts are not what the fleet made them", () => import("./commands/drift.ts")),
  entry(
    "serve",
    LOOK,
    "a page, an event stream and metrics for browsers and monitors",
    () => import("./commands/serve.ts"),
  ),

  entry("exec", HOSTS, "run a command on many hosts", () => import("./commands/exec.ts")),
  entry("ssh", HOSTS, "log in to one host", () => import("./commands/ssh.ts")),
  entry(
    "reboot",
    HOSTS,
    "restart hosts within the limits, and see them come back",
    () => import("./commands/reboot.ts"),
  ),
  entry("hold", HOSTS, "keep rollouts away from hosts", () => import("./commands/hold.ts")),
  entry("unhold", HOSTS, "let rollouts at them again", () => import("./commands/unhold.ts")),
  entry("lock", HOSTS, "keep everybody else away from hosts", () => import("./commands/lock.ts")),
  entry("unlock", HOSTS, "take a lock off", () => import("./commands/unlock.ts")),
  entry("gc", HOSTS, "delete old generations, never what a rollback needs", () => import("./commands/gc.ts")),

  entry("lab up", LAB, "start a simulated fleet on loopback", () => import("./commands/lab-up.ts")),
  entry("lab down", LAB, "stop it and remove what it made", () => import("./commands/lab-down.ts")),
  entry("lab status", LAB, "what the lab's hosts run", () => import("./commands/lab-status.ts")),
  entry("lab fault", LAB, "break a lab host on purpose", () => import("./commands/lab-fault.ts")),
  entry(
    "lab release",
    LAB,
    "make a new release of the lab's flake",
    () => import("./commands/lab-release.ts"),
  ),
];
