/** `flake/OPTIONS.md` says what the modules declare; `npx vitest run test/nix/docs.test.ts -u` writes it anew. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { declaredOptions } from "./machine.ts";
import { describeNix, evaluate, FLAKE, fixture, HERE } from "./nix.ts";

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
      readonly url: string;
      readonly flake?: boolean;
      readonly inputs?: Readonly<Record<string, { readonly follows: string }>>;
    }
    const inputs = evaluate(["--expr", `(import ${FLAKE}/flake.nix).inputs`]) as Record<string, Input>;
    const { nixpkgs, inventory, ...others } = inputs;
    expect(nixpkgs?.url).toBe("github:NixOS/nixpkgs/nixos-26.05");
    expect(inventory).toEqual({ url: "path:./inventory", flake: false });
    expect(Object.keys(others).sort()).toEqual(["disko", "nixos-images"]);
    for (const [name, input] of Object.entries(others)) {
      const followed = Object.values(input.inputs ?? {}).map(({ follows }) => follows);
      expect(followed.length, name).toBeGreaterThan(0);
      expect(new Set(followed), name).toEqual(new Set(["nixpkgs"]));
    }
  });

  it("has a template that hands its inventory and modules to mkFleet", () => {
    const outputs = evaluate([
      "--expr",
      `let f = import ${FLAKE}/template/flake.nix; fleet = args: { nixosConfigurations = args; packages = 1; legacyPackages = 2; secrets = 3; };
       in f.outputs { macula.lib.mkFleet = fleet; inventory = "the inventory"; }`,
    ]);
    expect(outputs).toMatchObject({
      nixosConfigurations: { inventory: "the inventory" },
      lib: { secrets: 3 },
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
