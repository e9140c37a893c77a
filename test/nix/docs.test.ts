/** `flake/OPTIONS.md` says what the modules declare; `npx vitest run test/nix/docs.test.ts -u` writes it anew. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { declaredOptions } from "./machine.ts";
import { describeNix, evaluate, FLAKE, fixture, HERE, readJson } from "./nix.ts";

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));

describeNix("the flake's documentation", () => {
  it("lists every option with type, default and purpose", async () => {
    const options = declaredOptions(fixture("homelab"));
    expect(options.length).toBeGreaterThan(90);
    const rows = options.map(
      ({ name, type, default: value, description }) =>
        `| \`${name}\` | ${cell(type)} | ${value === null ? "" : `\`${cell(value)}\``} | ${cell(description)} |`,
    );
    const text = [
      "# Options of the MaculaOS modules",
      "",
      "Generated from the modules. The inventory sets them (`lib/host-module.nix`); your own modules win.",
      "",
      "| option | type | default | what for |",
      "| --- | --- | --- | --- |",
      ...rows,
      "",
    ].join("\n");
    await expect(text).toMatchFileSnapshot(join(FLAKE, "OPTIONS.md"));
  });

  it.each(["flake/README.md", "docs/flake.md"])("%s links to files that exist", (file) => {
    const path = join(REPOSITORY, file);
    const links = [...readFileSync(path, "utf8").matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
      (match) => match[1] ?? "",
    );
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) expect(existsSync(join(dirname(path), link)), link).toBe(true);
  });

  it("takes one nixpkgs, the stable one, for everything", () => {
    interface Input {
      readonly url?: string;
      readonly flake?: boolean;
      readonly inputs?: Readonly<Record<string, { readonly follows: string }>>;
    }
    const inputs = evaluate(["--expr", `(import ${FLAKE}/flake.nix).inputs`]) as Record<string, Input>;
    const { nixpkgs, inventory, ...others } = inputs;
    expect(nixpkgs?.url).toBe("github:NixOS/nixpkgs/nixos-26.05");
    expect(inventory).toEqual({ follows: "", flake: false });
    expect(Object.keys(others).sort()).toEqual(["disko", "nixos-images"]);
    for (const [name, input] of Object.entries(others)) {
      const followed = Object.values(input.inputs ?? {}).map(({ follows }) => follows);
      expect(followed.length, name).toBeGreaterThan(0);
      expect(new Set(followed), name).toEqual(new Set(["nixpkgs"]));
    }
  });

  it("pins in flake.lock what flake.nix names, and nothing else", () => {
    interface Node {
      readonly original?: { readonly owner: string; readonly repo: string; readonly ref?: string };
      readonly locked?: { readonly rev: string; readonly narHash: string; readonly lastModified: number };
      readonly inputs?: Readonly<Record<string, string | readonly string[]>>;
    }
    const lock = readJson(`${FLAKE}/flake.lock`) as { nodes: Record<string, Node>; root: string };
    const inputs = evaluate(["--expr", `(import ${FLAKE}/flake.nix).inputs`]) as Record<
      string,
      { url?: string }
    >;
    const { [lock.root]: root, ...nodes } = lock.nodes;
    expect(root?.inputs).toEqual({
      ...Object.fromEntries(Object.keys(nodes).map((n) => [n, n])),
      inventory: [],
    });
    for (const [name, { original, locked, inputs: own }] of Object.entries(nodes)) {
      const place = [original?.owner, original?.repo, ...(original?.ref ? [original.ref] : [])].join("/");
      expect(inputs[name]?.url, name).toBe(`github:${place}`);
      expect(locked?.rev, name).toMatch(/^[0-9a-f]{40}$/);
      expect(locked?.narHash, name).toMatch(/^sha256-[A-Za-z0-9+/]{43}=$/);
      for (const follows of Object.values(own ?? {})) expect(follows, name).toEqual(["nixpkgs"]);
    }
  });

  it("has a template that hands its inventory and modules to mkFleet", () => {
    const outputs = evaluate([
      "--expr",
      `let f = import ${FLAKE}/template/flake.nix; fleet = args: { nixosConfigurations.inventory = map toString args.inventory; packages = 1; legacyPackages = 2; checks = 4; secrets = 3; };
       in f.outputs { macula.lib.mkFleet = fleet; inventory = "the inventory"; }`,
    ]);
    expect(outputs).toMatchObject({
      nixosConfigurations: { inventory: ["the inventory", expect.stringContaining("/inventory")] },
      lib: { secrets: 3 },
      checks: 4,
    });
  });

  it("exports each module so that it evaluates alone", () => {
    const names = ["base", "k3s", "macula", "networking"];
    const lib = `import ${HERE}lib`;
    const inputs = `{ self.outPath = ${FLAKE}; nixpkgs.lib = ${lib}; disko = { }; nixos-images = { }; inventory = { }; }`;
    const expression = `let lib = ${lib}; modules = ((import ${FLAKE}/flake.nix).outputs ${inputs}).nixosModules;
      in lib.genAttrs [ ${names.map((name) => `"${name}"`).join(" ")} ] (name: import ${HERE}alone.nix modules.\${name})`;
    const used = evaluate(["--expr", expression]) as Record<string, readonly string[]>;
    expect(used.base).toContain("time.timeZone");
    expect(used.networking).toContain("services.resolved.enable");
    // Off until somebody enables it.
    expect(used.macula?.filter((option) => !option.startsWith("networking."))).toEqual([]);
    expect(Object.keys(used)).toEqual(names);
  });
});
