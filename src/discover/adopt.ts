/** A new host's entry in an inventory: as text to look at, or written into the file with everything else left as it is. Pure. */
import { type Document, isAlias, isMap, parseDocument, stringify } from "yaml";
import { FleetError } from "../errors.ts";

export interface NewHost {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly role?: string;
  readonly site?: string;
  readonly arch?: string;
  readonly boot?: string;
  readonly disk?: string;
  readonly serial?: string;
  readonly mac?: string;
  readonly hostKeys: readonly string[];
}

/** In the order people write them; nothing that is a default. */
export function entryOf(host: NewHost): Readonly<Record<string, unknown>> {
  const identity = {
    ...(host.mac === undefined ? {} : { mac: host.mac }),
    ...(host.hostKeys.length === 0 ? {} : { hostKeys: host.hostKeys }),
  };
  return {
    address: host.address,
    ...(host.port === 22 ? {} : { port: host.port }),
    ...(host.site === undefined ? {} : { site: host.site }),
    ...(host.role === undefined ? {} : { role: host.role }),
    ...(host.arch === undefined || host.arch === "x86_64-linux" ? {} : { arch: host.arch }),
    ...(host.boot === undefined || host.boot === "uefi" ? {} : { hardware: { boot: host.boot } }),
    ...(host.disk === undefined
      ? {}
      : { disk: { device: host.disk, ...(host.serial ? { serial: host.serial } : {}) } }),
    ...(Object.keys(identity).length === 0 ? {} : { identity }),
  };
}

export const entryText = (host: NewHost): string =>
  stringify({ hosts: { [host.name]: entryOf(host) } }, { lineWidth: 0 });

/** The file with the entry added under `hosts`, comments and order kept. Throws `usage` when it cannot be. */
export function withHost(text: string, host: NewHost): string {
  return edit(text, (doc) => {
    if (doc.hasIn(["hosts", host.name]))
      throw new FleetError("usage", `the inventory has a host ${host.name} already`, {
        hint: "choose another name with --as",
      });
    if (!isMap(doc.get("hosts"))) doc.set("hosts", doc.createNode({}));
    doc.setIn(["hosts", host.name], doc.createNode(entryOf(host)));
  });
}

/**
 * The file with one field of one host set, or with `undefined` removed. Throws `usage` when the host is not written out
 * there (a range).
 */
export const withHostField = (text: string, host: string, path: readonly string[], value: unknown): string =>
  withField(text, ["hosts", host], path, value);

/** The file with the key that a bastion is pinned to replaced. Throws `usage` when the bastion is not in it. */
export const withBastionKey = (text: string, bastion: string, key: string): string =>
  withField(text, ["bastions", bastion], ["hostKey"], key);

function withField(
  text: string,
  entry: readonly [string, string],
  path: readonly string[],
  value: unknown,
): string {
  return edit(text, (doc) => {
    if (!isMap(doc.getIn(entry)))
      throw new FleetError("usage", `${entry[1]} is not written out by itself in this file`, {
        hint: "it is part of a range or of another file: change it there by hand",
      });
    // An alias has no fields of its own, and those of its anchor are somebody else's, too.
    const above = path.slice(0, -1).map((_, i) => [...entry, ...path.slice(0, i + 1)]);
    const merged = doc.hasIn([...entry, "<<"]) && above.some((p) => !doc.hasIn(p));
    if (merged || above.some((p) => isAlias(doc.getIn(p, true))))
      throw new FleetError("usage", `${path.join(".")} of ${entry[1]} is an alias of something else`, {
        hint: "change it there by hand",
      });
    if (value === undefined) doc.deleteIn([...entry, ...path]);
    else doc.setIn([...entry, ...path], value);
  });
}

function edit(text: string, change: (doc: Document) => void): string {
  const doc = parseDocument(text, { keepSourceTokens: true });
  if (doc.errors.length > 0)
    throw new FleetError("inventory-invalid", "the inventory is no valid YAML", {
      hint: "macula-fleet inventory validate",
    });
  change(doc as Document);
  return doc.toString({ lineWidth: 0, flowCollectionPadding: /\{ \S/.test(text) });
}
