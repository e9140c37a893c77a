/** Every source of a node's configuration, merged in the order the node merges them. Pure. */
import { parseDocument } from "yaml";
import type { NodeFiles } from "../node-files.ts";
import { CLOUD_CONFIG } from "./aliases.ts";
import { fromCmdline } from "./cmdline.ts";
import type { CloudConfig, WizardConfig } from "./model.ts";
import { isTree, mergeTrees, normalise, type Oddity, type Tree } from "./normalise.ts";

export interface NodeConfig {
  readonly config: CloudConfig;
  /** What the first-boot wizard wrote over `config.yaml`, if it did. */
  readonly wizard: WizardConfig | null;
  /** Where something was read from, in merge order. */
  readonly sources: readonly string[];
  readonly oddities: readonly Oddity[];
}

/** The node's own merged answer (`maculaos config --dump-json`) replaces all files when there is one. */
export const DUMP = "/run/macula-fleet-import/config.json";
export const CMDLINE = "/proc/cmdline";
const LOCAL = "/var/lib/maculaos/config.yaml";

export function readConfig(files: NodeFiles): NodeConfig {
  const oddities: Oddity[] = [];
  const sources: string[] = [];
  let merged: Tree = {};
  let wizard: WizardConfig | null = null;
  const take = (source: string, data: unknown) => {
    if (data === null || data === undefined) return;
    if (!isTree(data)) return void oddities.push({ path: source, message: "is not a map of settings" });
    sources.push(source);
    const own: Oddity[] = [];
    merged = mergeTrees(CLOUD_CONFIG, merged, normalise(CLOUD_CONFIG, data, "", own));
    oddities.push(...own.map((o) => ({ ...o, path: `${source}: ${o.path}` })));
  };
  const yaml = (path: string) => {
    const text = files.text(path);
    return text === undefined ? null : parseYaml(text, path, oddities);
  };
  const local = splitWizard(yaml(LOCAL));
  wizard = local.wizard;
  const dump = yaml(DUMP);
  if (isTree(dump)) {
    if (wizard) sources.push(`${LOCAL} (first-boot wizard)`);
    take("maculaos config --dump-json", splitWizard(dump).rest);
    return { config: merged as CloudConfig, wizard, sources, oddities };
  }
  take("/macula/system/config.yaml", yaml("/macula/system/config.yaml"));
  const cmdline = fromCmdline(files.text(CMDLINE) ?? "");
  if (Object.keys(cmdline).length > 0) take(CMDLINE, cmdline);
  if (wizard) sources.push(`${LOCAL} (first-boot wizard)`);
  take(LOCAL, local.rest);
  take("/run/config", cloudMetadata(files));
  take("/run/config/userdata", userData(files, oddities));
  for (const path of files.below("/var/lib/maculaos/config.d")) take(path, yaml(path));
  return { config: merged as CloudConfig, wizard, sources, oddities };
}

/** `yaml` is read with its 1.1 rules, as Go's library does: `yes` is a bool, `0644` is octal. */
function parseYaml(text: string, path: string, odd: Oddity[]): unknown {
  const document = parseDocument(text, { version: "1.1", merge: true, prettyErrors: false });
  const [error] = document.errors;
  try {
    if (error === undefined) return document.toJS();
  } catch {
    // An alias to nothing shows only here.
  }
  odd.push({ path, message: `cannot be read as YAML${error ? ` (${error.code})` : ""}` });
  return null;
}

const WIZARD_KEYS = ["realm", "bootstrap_peers", "network", "node_id"];

/** The wizard's file has its keys at the top, where cloud-config has none of these names. */
function splitWizard(data: unknown): { readonly wizard: WizardConfig | null; readonly rest: unknown } {
  if (!isTree(data) || !WIZARD_KEYS.some((key) => Object.hasOwn(data, key)))
    return { wizard: null, rest: data };
  const wizard = Object.fromEntries(Object.entries(data).filter(([k]) => WIZARD_KEYS.includes(k)));
  const rest = Object.fromEntries(Object.entries(data).filter(([k]) => !WIZARD_KEYS.includes(k)));
  return { wizard: wizard as WizardConfig, rest: Object.keys(rest).length === 0 ? null : rest };
}

function cloudMetadata(files: NodeFiles): Tree | null {
  const hostname = files.text("/run/config/local_hostname")?.trim();
  const keys = files
    .text("/run/config/ssh/authorized_keys")
    ?.split("\n")
    .filter((k) => k.trim() !== "");
  if (!hostname && !keys?.length) return null;
  return { ...(hostname ? { hostname } : {}), ...(keys?.length ? { ssh_authorized_keys: keys } : {}) };
}

/** User data is YAML, or a program that the node writes down and runs. */
function userData(files: NodeFiles, odd: Oddity[]): unknown {
  const path = "/run/config/userdata";
  const text = files.text(path);
  if (text === undefined || text.trim() === "") return null;
  const program = text.startsWith("#!") || !/^[\t\n\r\x20-\x7e\u0080-\uffff]*$/.test(text);
  return program
    ? { run_cmd: [`/run/k3os/userdata (${text.length} bytes, a program)`] }
    : parseYaml(text, path, odd);
}
