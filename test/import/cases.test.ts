/** Runs `test/cases/import/*.yaml`: each row of the mapping, and each odd thing a node may say, is a case there. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { checkProblems } from "../../src/health/checks.ts";
import { importNode } from "../../src/import/import-node.ts";
import { nodeFiles } from "../../src/import/node-files.ts";
import { fragmentYaml, importJson } from "../../src/import/render.ts";
import { validateSources } from "../../src/inventory/validate.ts";

interface Case {
  readonly about: string;
  /** Path -> content. */
  readonly files: Readonly<Record<string, string>>;
  readonly name?: string | null;
  readonly address?: string;
  /** Part of the host's entry. */
  readonly host?: object;
  readonly clusters?: object;
  readonly realm?: string;
  /** Keys the host's entry must not have. */
  readonly absent?: readonly string[];
  /** File -> text. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Texts; each must be part of exactly one line of "needs a human", and no others may be left. */
  readonly human?: readonly string[];
  readonly notes?: readonly string[];
  readonly sources?: readonly string[];
}

const folder = new URL("../cases/import/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
/** Said of every set of files without a running node; listed only where they are the point. */
const QUIET = ["disks are not in these files", "how it boots is not", "nobody could log in"];
const HEADER = `apiVersion: macula.io/v1
kind: FleetInventory
fleet: {name: case, realm: org.example.case, flake: ./flake, release: "26.05"}
`;

test("there are cases", () => expect(files.length).toBeGreaterThan(5));

describe.each(files)("%s", (file) => {
  const cases = parseAllDocuments(readFileSync(new URL(file, folder), "utf8")).map((d): Case => d.toJS());
  test.each(cases)("$about", (each) => {
    const imported = importNode(nodeFiles(Object.entries(each.files)), {
      ...(each.name === null ? {} : { name: each.name ?? "node-01" }),
      address: each.address ?? "10.0.0.1",
    });
    const [host = {}] = Object.values(imported.fragment.hosts);
    if (each.host) expect(host).toMatchObject(each.host);
    for (const key of each.absent ?? []) expect(host).not.toHaveProperty(key);
    if (each.clusters) expect(imported.fragment.clusters).toMatchObject(each.clusters);
    if (each.realm) expect(imported.realm).toBe(each.realm);
    if (each.sources) expect(imported.sources).toEqual(each.sources);
    if (each.notes) expect(imported.notes).toEqual(each.notes.map((n) => expect.stringContaining(n)));
    const secrets = Object.fromEntries(imported.secrets.map((s) => [s.file, s.value.reveal()]));
    if (each.secrets) expect(secrets).toEqual(each.secrets);
    const human = imported.needsHuman.map((n) => `${n.topic}: ${n.what} -> ${n.suggestion}`);
    const wanted = each.human ?? [];
    const left = human.filter((h) => !QUIET.some((q) => h.includes(q) && !wanted.some((w) => h.includes(w))));
    for (const text of wanted) {
      const at = left.findIndex((h) => h.includes(text));
      if (at < 0) expect.fail(`nobody is asked about ${JSON.stringify(text)} in\n${human.join("\n")}`);
      left.splice(at, 1);
    }
    expect(left).toEqual([]);

    // Whatever a node says: what comes out is an inventory, and no secret is in it.
    const yaml = fragmentYaml(imported);
    const { problems } = validateSources([{ path: "i.yaml", text: HEADER + yaml }], {
      baseDir: "/fleet",
      resolvePath: (p) => p,
      now: Date.parse("2026-11-23"),
      validateCheck: (check) => checkProblems([check]).map((p) => p.message),
    });
    // Peers, servers and release belong to the whole inventory, not to this part of it.
    const own = problems.filter((p) => p.severity === "error" && !/^E[23]\d\d$/.test(p.code));
    expect(own.map((p) => `${p.code} ${p.path} ${p.message}\n${yaml}`)).toEqual([]);
    const shown = yaml + JSON.stringify(importJson(imported));
    for (const secret of Object.values(secrets)) expect(shown).not.toContain(secret);
  });
});
