/** The fragment as YAML, the list for people, and both as data. Pure. */
import { stringify } from "yaml";
import type { Imported } from "./import-node.ts";

export function fragmentYaml(imported: Imported): string {
  const { clusters, hosts } = imported.fragment;
  const head = [
    `# ${imported.name}, imported from k3OS.`,
    ...(imported.realm === null
      ? []
      : [`# Its realm is ${imported.realm}: fleet.realm should say the same.`]),
    ...imported.needsHuman.map(
      (n) => `# TODO ${n.topic}: ${n.what.replaceAll("\n", " ")} -> ${n.suggestion}`,
    ),
  ];
  const body = { ...(Object.keys(clusters).length > 0 ? { clusters } : {}), hosts };
  return `${head.join("\n")}\n${stringify(body, { lineWidth: 110, aliasDuplicateObjects: false })}`;
}

export function humanLines({ needsHuman, notes, secrets, sources }: Imported): string[] {
  return [
    `read: ${sources.join(" < ") || "no configuration at all"}`,
    ...notes.map((n) => `note: ${n}`),
    ...(secrets.length > 0 ? [`secrets: ${secrets.length} (${secrets.map((s) => s.file).join(", ")})`] : []),
    needsHuman.length === 0 ? "nothing needs a human" : `needs a human (${needsHuman.length}):`,
    ...needsHuman.flatMap((n) => [`  ${n.topic}: ${n.what}`, `    -> ${n.suggestion}`]),
  ];
}

export function importJson({ needsHuman, notes, secrets, sources, fragment, name, realm }: Imported) {
  return { name, realm, sources, fragment, secrets: secrets.map((s) => s.file), needsHuman, notes };
}
