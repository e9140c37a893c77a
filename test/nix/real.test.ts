/**
 * The flake against a real nixpkgs, where one is at hand:
 *   MACULA_NIXPKGS=/path/to/nixpkgs MACULA_DISKO=/path/to/disko [MACULA_NIXOS_IMAGES=…] npx vitest run --project nix
 * Everything is evaluated to derivations, nothing is built. Takes minutes: a NixOS system is some four seconds.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { loadInventory, requireValid } from "../../src/inventory/load.ts";
import { toResolvedJson } from "../../src/inventory/resolved-json.ts";
import {
  describeNix,
  evaluate,
  FIXTURES,
  FLAKE,
  fixture,
  HERE,
  readJson,
  refusal,
  temporaryFile,
} from "./nix.ts";

const nixpkgs = process.env.MACULA_NIXPKGS;
const disko = process.env.MACULA_DISKO;
const nixosImages = process.env.MACULA_NIXOS_IMAGES;
const ready = nixpkgs !== undefined && disko !== undefined;
if (!ready) {
  console.warn(
    "skipped: the flake against a real nixpkgs (set MACULA_NIXPKGS and MACULA_DISKO to their paths)",
  );
}

// Evaluating derivations needs a store to put them in: a throw-away one.
const store = ready ? mkdtempSync(join(tmpdir(), "macula-store-")) : "";
afterAll(() => {
  if (store) rmSync(store, { recursive: true, force: true });
});
const environment = {
  NIX_REMOTE: "",
  NIX_STORE_DIR: join(store, "store"),
  NIX_STATE_DIR: join(store, "var"),
  NIX_LOG_DIR: join(store, "log"),
  NIX_CONF_DIR: join(store, "etc"),
  // Collecting garbage that is not there yet takes a third of the time.
  GC_INITIAL_HEAP_SIZE: "4G",
};

/** An attribute of `mkFleet`'s result; derivations by their path. */
function real(inventory: string, expression: string, extra = "{ }", more: readonly string[] = []): unknown {
  mkdirSync(join(store, "store"), { recursive: true });
  return evaluate(
    [
      `${HERE}real.nix`,
      ...["--argstr", "inventory", inventory],
      ...["--argstr", "nixpkgs", nixpkgs ?? ""],
      ...["--argstr", "disko", disko ?? ""],
      ...(nixosImages === undefined ? [] : ["--argstr", "nixosImages", nixosImages]),
      ...["--arg", "flake", FLAKE],
      ...["--arg", "extra", extra],
      ...["--arg", "select", expression],
      ...more,
    ],
    environment,
  );
}

const derivation = /\.drv$/;
const EXAMPLES = fileURLToPath(new URL("../../inventory/examples/", import.meta.url));

describeNix("with a real nixpkgs", () => {
  describe.runIf(ready)("(MACULA_NIXPKGS)", { timeout: 7_200_000 }, () => {
    it.each(FIXTURES)("every host of the %s fixture is a system", (name) => {
      const systems = real(fixture(name), "f: f.toplevels") as Record<string, string>;
      expect(Object.keys(systems).length).toBeGreaterThan(2);
      for (const [host, path] of Object.entries(systems)) expect(path, host).toMatch(derivation);
    });

    // 200 hosts of a few shapes: every fortieth, or with MACULA_ALL_HOSTS=1 each.
    it.each([
      ["homelab", 1],
      ["commons", 1],
      ["makerspace", 1],
      ["retail", 40],
    ])("the hosts of the %s example are systems", async (name, every) => {
      const loaded = await loadInventory({ path: `${EXAMPLES}${name}.yaml`, cwd: EXAMPLES, env: {}, now: 0 });
      const inventory = requireValid(loaded);
      const path = temporaryFile("fleet.json", toResolvedJson(inventory));
      const names = inventory.hosts
        .filter((_, i) => process.env.MACULA_ALL_HOSTS || i % every === 0)
        .map((host) => host.name);
      const found = new Set<string>();
      const start = performance.now();
      // Several in one process share nixpkgs; not all, for Nix gives no memory back before it ends.
      for (let at = 0; at < names.length; at += 8) {
        const some = names.slice(at, at + 8);
        const systems = real(path, `f: f.only [ ${some.map((host) => `"${host}"`).join(" ")} ]`);
        for (const host of some) {
          const system = (systems as Record<string, string>)[host];
          expect(system, host).toMatch(derivation);
          found.add(String(system));
        }
      }
      const seconds = Math.round((performance.now() - start) / 1000);
      console.info(`${name}: ${names.length} hosts, ${found.size} distinct systems, ${seconds} s`);
    });

    it("hosts share one nixpkgs without a change, and step aside for packages of their own", () => {
      const system = (extra: string) =>
        (real(fixture("homelab"), 'f: f.only [ "node-01" ]', extra) as Record<string, string>)["node-01"];
      const shares = (extra: string) =>
        real(fixture("homelab"), "f: f.nixosConfigurations.node-01.options.nixpkgs.pkgs.isDefined", extra);
      const own = "{ nixpkgs.config.allowUnfree = false; }";
      expect([shares("{ }"), shares(own)]).toEqual([true, false]);
      expect(system("{ }")).toBe(system(own));
      const overlay = '{ nixpkgs.overlays = [ (_: _: { vim = throw "mine"; }) ]; }';
      expect(refusal(() => system(overlay))).toContain("mine");
    });

    it("ISO, SD card, VM and disk scripts are derivations with the right names", () => {
      const all = real(fixture("homelab"), "f: f.artifacts") as Record<string, string>;
      expect(all).toMatchObject({
        "iso-x86_64": expect.stringMatching(/-maculaos-installer-[\d.]+-x86_64-linux\.iso\.drv$/),
        "iso-aarch64": expect.stringMatching(/-maculaos-installer-[\d.]+-aarch64-linux\.iso\.drv$/),
        sdcard: expect.stringMatching(/-maculaos-unpaired-[\d.]+-aarch64-linux\.img\.zst\.drv$/),
        "sdcard-node-03": expect.stringMatching(/-maculaos-node-03-[\d.]+-aarch64-linux\.img\.zst\.drv$/),
        "disko-node-01": expect.stringMatching(/-disko\.drv$/),
        "disko-node-02": expect.stringMatching(/-disko\.drv$/),
        vm: expect.stringMatching(derivation),
      });
      if (nixosImages !== undefined) expect(all.kexec).toMatch(/kexec.*\.drv$/);
    });

    it("the command and the wizard are packages, with no hash to fill in", () => {
      expect(real(fixture("homelab"), "f: f.tools")).toEqual({
        "macula-fleet": expect.stringMatching(/-macula-fleet-\d+\.\d+\.\d+\.drv$/),
        "macula-firstboot": expect.stringMatching(/-macula-firstboot\.drv$/),
      });
    });

    it("the card for unnamed machines runs the wizard", () => {
      const card = "f.packages.aarch64-linux.sdcard.passthru.config.systemd.services.macula-firstboot";
      expect(real(fixture("homelab"), `f: ${card}.serviceConfig.ExecStart`)).toMatch(
        /-macula-firstboot\/bin\/macula-firstboot --port 80 /,
      );
      expect(real(fixture("homelab"), `f: ${card}.after`)).toContain("sshd-keygen.service");
    });

    it("a disk nobody named has no disk script", () => {
      const path = fixture("commons");
      const script = (host: string) =>
        `f: f.nixosConfigurations.${host}.config.system.build.diskoScript.drvPath`;
      expect(real(path, script("ams-boot-01"))).toMatch(derivation);
      expect(refusal(() => real(path, script("ams-gw-01")))).toContain("ams-gw-01: disk.device");
    });

    it("a misspelt option is refused", () => {
      const misspelt = '{ services.k3s.tokenFil = "/x"; }';
      expect(refusal(() => real(fixture("homelab"), 'f: f.only [ "node-01" ]', misspelt))).toContain(
        "services.k3s.tokenFil' does not exist",
      );
    });

    it("no reference to a secret is in a system's files", () => {
      const path = real(fixture("commons"), 'f: (f.only [ "gent-peer-01" ]).gent-peer-01', "{ }", [
        "--read-write-mode",
      ]) as string;
      const all = spawnSync("nix-store", ["-qR", path], {
        encoding: "utf8",
        maxBuffer: 256 * 1024 * 1024,
        env: { ...process.env, ...environment },
      });
      expect(all.status, all.stderr).toBe(0);
      const files = all.stdout.split("\n").filter(Boolean);
      expect(files.length).toBeGreaterThan(1000);
      const holding = (pattern: string) =>
        spawnSync("xargs", ["grep", "-lE", pattern], { encoding: "utf8", input: files.join("\n") }).stdout;
      // The path of the token is there, so the search does look in the right place.
      expect(holding("secrets/k3s-token")).not.toBe("");
      expect(holding("sops:secrets|k3s\\.token")).toBe("");
    });

    it("the list of known options is what this nixpkgs declares", () => {
      const args = ["--arg", "nixpkgs", nixpkgs ?? "", "--arg", "disko", disko ?? ""];
      const declared = evaluate([`${HERE}known-options.nix`, ...args], environment);
      const known = readJson(`${HERE}known-options.json`) as { options: Record<string, unknown> };
      expect(declared).toMatchObject(known.options);
    });
  });
});
