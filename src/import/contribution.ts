/** What one mapping says about a node. Pure. */
import type { Secret } from "../kernel/secret.ts";
import type { CloudConfig, Maculaos, WizardConfig } from "./config/model.ts";
import type { Tree } from "./config/normalise.ts";
import type { NodeFiles } from "./node-files.ts";

/** The node as its mappings see it. */
export interface NodeView {
  /** Host key of the inventory. */
  readonly name: string;
  readonly address: string | null;
  readonly files: NodeFiles;
  readonly config: CloudConfig;
  /** `config.maculaos`, never absent. */
  readonly os: Maculaos;
  readonly wizard: WizardConfig | null;
}

/** Something only a person can decide or do. */
export interface NeedsHuman {
  /** `commands`: which part it is about. */
  readonly topic: string;
  readonly what: string;
  readonly suggestion: string;
}

export interface SecretFile {
  /** Relative to the inventory: `secrets/node-01/wifi-0`. */
  readonly file: string;
  readonly value: Secret;
}

export interface Contribution {
  /** Parts of the host's entry; merged deeply, lists joined. */
  readonly host?: Tree;
  readonly clusters?: Tree;
  /** The realm this node believes in. */
  readonly realm?: string;
  readonly secrets?: readonly SecretFile[];
  readonly human?: readonly NeedsHuman[];
  /** What was dropped on purpose, and other remarks. */
  readonly notes?: readonly string[];
}

export interface Mapping {
  readonly topic: string;
  readonly map: (node: NodeView) => Contribution;
}

export const needs = (topic: string, what: string, suggestion: string): NeedsHuman => ({
  topic,
  what,
  suggestion,
});

export const secretFile = (node: Pick<NodeView, "name">, name: string): string =>
  `secrets/${node.name}/${name}`;
