import { isMap, isScalar, parseDocument } from "yaml";
import { isRecord } from "../combine.ts";
import { error, type Finding, formatPath, type Path, warning } from "../findings.ts";
import { looksGenerated, REFERENCE, SECRET_KEY, secretShape } from "../redact.ts";
import type { Rule } from "./rule.ts";

const HOW = "Put it in a secret file and reference it: sops:FILE#path, file:PATH, env:NAME or cmd:COMMAND.";

/** E501: nothing that looks like a secret, anywhere; runs on the raw data, unknown keys included. */
export function* plainSecrets(value: unknown, path: Path = []): Generator<Finding> {
  if (typeof value === "string") {
    const looks = secretIn(value, path);
    if (looks !== undefined)
      yield error("E501", path, `${formatPath(path)}: looks like ${looks}`, { fix: HOW });
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* plainSecrets(item, [...path, i]);
  } else if (isRecord(value)) {
    for (const [key, part] of Object.entries(value)) yield* plainSecrets(part, [...path, key]);
  }
}

/** Keys that hold the secret itself; `tokenTTL` and `passwordFile` do not. */
const SECRET_NAME = /(?:token|secret|passw(?:or)?d|passphrase|psk|private_?key|api_?key)$/i;

function secretIn(value: string, path: Path): string | undefined {
  const shape = secretShape(value);
  if (shape !== undefined) return shape;
  const key = String(path.findLast((part) => typeof part === "string") ?? "");
  if (!SECRET_KEY.test(key) || REFERENCE.test(value)) return undefined;
  if (/Ref$/.test(key)) return looksGenerated(value) ? "a secret" : undefined;
  return SECRET_NAME.test(key) ? "a secret" : undefined;
}

/** E503: a `…Ref` that is none. */
export const brokenReferences: Rule = function* ({ document }) {
  for (const [path, ref] of references(document)) {
    if (REFERENCE.test(ref) || secretShape(ref) !== undefined || looksGenerated(ref)) continue;
    yield error("E503", path, `${path.at(-1)} is not a reference`, { fix: HOW });
  }
};

/** E502, W502: sops keeps keys readable, so a missing one is found without decrypting anything. */
export const sopsKeys: Rule = function* (input) {
  const missingFiles = new Map<string, Path>();
  for (const [path, ref] of references(input.document)) {
    const match = /^sops:([^#]+)#(.+)$/.exec(ref);
    const [, file = "", key = ""] = match ?? [];
    if (match === null) continue;
    const text = input.secretFile(file);
    if (text === undefined) {
      if (!missingFiles.has(file)) missingFiles.set(file, path);
    } else if (!hasKey(text, key)) {
      yield error("E502", path, `sops file ${file} has no key ${key}`, { fix: `Add it with: sops ${file}` });
    }
  }
  const [first] = missingFiles;
  if (first === undefined) return;
  const [file, path] = first;
  const more = missingFiles.size === 1 ? "" : ` and ${missingFiles.size - 1} more secret files`;
  yield warning(
    "W502",
    path,
    `${file}${more} cannot be read from here; references into them were not checked`,
  );
};

function hasKey(text: string, key: string): boolean {
  let node: unknown = parseDocument(text, { prettyErrors: false }).contents;
  for (const part of key.split(".")) {
    if (!isMap(node)) return false;
    const pair = node.items.find(({ key: name }) => isScalar(name) && String(name.value) === part);
    if (pair === undefined) return false;
    node = pair.value;
  }
  return true;
}

function* references(value: unknown, path: Path = []): Generator<[Path, string]> {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* references(item, [...path, i]);
  } else if (isRecord(value)) {
    for (const [key, part] of Object.entries(value)) {
      const here = [...path, key];
      if (typeof part === "string" && (key.endsWith("Ref") || (key === "ref" && path.includes("files"))))
        yield [here, part];
      else if (typeof part === "object") yield* references(part, here);
    }
  }
}
