/** `DIR/releases.json`: which releases the lab's flake has, which one is its head, and what each does where. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { FleetError } from "../../errors.ts";
import { BEHAVIOURS, type Behaviour, type SystemDescription } from "../machine/system.ts";
import { describeSystem } from "./closure.ts";

const Release = z.strictObject({
  behaviour: z.enum(BEHAVIOURS),
  /** Host name globs the behaviour is limited to; other hosts get a good system. Absent: all. */
  hosts: z.array(z.string()).optional(),
});

export const Catalog = z.strictObject({
  schema: z.literal(1),
  note: z.string(),
  head: z.string(),
  releases: z.record(z.string(), Release),
});
export type Catalog = z.infer<typeof Catalog>;

export function newCatalog(head: string, names: readonly string[]): Catalog {
  return {
    schema: 1,
    note: "Releases of a simulated macula-fleet lab. Change with `macula-fleet lab release`.",
    head,
    releases: Object.fromEntries(names.map((name) => [name, { behaviour: "good" as const }])),
  };
}

export function readCatalog(file: string): Catalog {
  try {
    return Catalog.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new FleetError("lab-failed", `the lab's releases in ${file} cannot be read`, {
      hint: "macula-fleet lab down, then lab up, makes a new lab",
      cause,
    });
  }
}

export function writeCatalog(file: string, catalog: Catalog): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(catalog, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** Names a release may have: what a store path allows. Throws `usage`. */
export function checkRevision(name: string): string {
  if (/^[0-9A-Za-z+._?=][0-9A-Za-z+._?=-]{0,63}$/.test(name)) return name;
  throw new FleetError("usage", `"${name}" cannot name a release of the lab`, {
    hint: "use letters, digits, dots, dashes and underscores, at most 64",
  });
}

/** `*` and `?` as in a shell; several patterns may be separated by commas. */
export function matchesHost(patterns: readonly string[], host: string): boolean {
  return patterns
    .flatMap((p) => p.split(","))
    .some((p) =>
      new RegExp(
        `^${p
          .trim()
          .replace(/[.+^${}()|[\]\\]/g, "\\$&")
          .replaceAll("*", ".*")
          .replaceAll("?", ".")}$`,
      ).test(host),
    );
}

/** The system of one host in one release; an unknown release is a good one. */
export function systemFor(catalog: Catalog, host: string, revision: string): SystemDescription {
  const release = catalog.releases[checkRevision(revision)];
  const applies = release && (release.hosts === undefined || matchesHost(release.hosts, host));
  const behaviour: Behaviour = applies ? release.behaviour : "good";
  return describeSystem(host, revision, behaviour);
}
