/** The files of a new fleet, as text. Pure. */

/** A flake reference, or a folder of a directory: Nix 2.8 refuses `path:…?dir=…`. */
export type ModulesInput = string | { readonly path: string; readonly dir: string };

export interface Scaffold {
  /** Fleet name: letters, digits, dashes. */
  readonly name: string;
  /** Text of the flake template. */
  readonly template: string;
  /** Where the MaculaOS modules come from. */
  readonly modules: ModulesInput;
  readonly schema: unknown;
  /** SSH public key of the person who starts it; without one nobody gets in after an installation. */
  readonly key?: string;
}

export const INVENTORY = "inventory.yaml";
/** The inventory as Nix reads it, for bare Nix commands. */
export const RESOLVED = "flake/inventory/fleet.json";

/** Path -> content; `RESOLVED` is not among them, as it follows from the inventory. */
export function scaffold(o: Scaffold): ReadonlyMap<string, string> {
  return new Map([
    [INVENTORY, inventory(o.name, o.key)],
    ["inventory.schema.json", `${JSON.stringify(o.schema, null, 2)}\n`],
    ["flake/flake.nix", flake(o)],
    [".gitignore", "/result\n/result-*\n*.key\nsecrets/*.plain*\n"],
    ["README.md", readme(o.name)],
  ]);
}

/**
 * Of an installation's modules. Of all of it where Nix can make the command and the wizard from it:
 * the folder `flake` alone makes machines, but no SD card that can be paired.
 */
export function modulesOf(root: string, exists: (path: string) => boolean): ModulesInput {
  const base = root.replace(/\/+$/, "");
  const path = encodeURI(base).replaceAll("?", "%3F").replaceAll("#", "%23");
  // Git knows what belongs to the repository; a plain path would bring its node_modules along.
  if (exists(`${base}/.git`)) return `git+file://${path}?dir=flake`;
  const whole = ["src/main.ts", "package-lock.json"].every((file) => exists(`${base}/${file}`));
  return whole ? { path: base, dir: "flake" } : `path:${path}/flake`;
}

function flake({ name, template, modules }: Scaffold): string {
  return template
    .replace(/description = "[^"]*"/, `description = "The fleet ${name}"`)
    .replace(/macula\.url = "[^"]*";/, () => inputLines(modules).join("\n    "));
}

const inputLines = (modules: ModulesInput): readonly string[] =>
  typeof modules === "string"
    ? [`macula.url = ${JSON.stringify(modules)};`]
    : Object.entries({ type: "path", ...modules }).map(([k, v]) => `macula.${k} = ${JSON.stringify(v)};`);

const NO_KEY = `  # users:
  #   root:
  #     keys: ["ssh-ed25519 AAAA... you@desk"] # your public key, or nobody gets in after the installation
`;

const users = (key: string): string => `  users:
    root:
      keys: [${JSON.stringify(key)}]
`;

const inventory = (
  name: string,
  key: string | undefined,
): string => `# yaml-language-server: $schema=./inventory.schema.json
# Every machine of the fleet, stated once: installations, rollouts and Nix all read this file.
# Check it with: macula-fleet inventory validate
apiVersion: macula.io/v1
kind: FleetInventory

fleet:
  name: ${name}
  realm: io.macula.${name}
  flake: ./flake
  release: "26.05"

# What holds for every host unless its site, group or itself says otherwise.
defaults:
  user: root
  arch: x86_64-linux
  hardware:
    boot: uefi # or bios, rpi
  disk:
    device: auto # the only disk; with several, name one: /dev/disk/by-id/...
${key === undefined ? NO_KEY : users(key)}
sites:
  home:
    timezone: UTC
    # window: "Tue 02:00-05:00" # rollouts start here only then
    # uplink: {mbps: 20, concurrentCopies: 1}

# Passwords and tokens are never written here, only where they are: sops:FILE#path, file:PATH, env:NAME, cmd:COMMAND
# clusters:
#   home: {tokenRef: "sops:secrets/home.yaml#k3s.token"}

hosts:
  # The first one others join the mesh through: changed last, and never more than one at a time.
  node-01:
    site: home
    address: 192.168.1.11
    role: bootstrap
    mesh:
      publicAddress: ${name}.example.org:443
  node-02:
    site: home
    address: 192.168.1.12
    role: peer
  # Ten at once: "node-[03:12]": {site: home, address: "192.168.1.13+", role: peer}

# How changes reach the fleet; these are the defaults. macula-fleet plan shows what comes of them.
# rollout:
#   canary: {count: 10%}
#   maxParallel: 10%
#   maxUnavailable: 10%
#   confirmTimeout: 180s # a host that nobody reaches for this long goes back by itself

# When is a host healthy? Without checks: when no unit newly failed.
# checks:
#   - {name: k3s, type: k3s}
`;

const readme = (name: string): string => `# ${name}

Machines are listed in \`inventory.yaml\`; what they run comes from \`flake/\`.

\`\`\`sh
git init && git add -A && git commit -m "Start the fleet"   # a rollout wants a revision to name
macula-fleet inventory validate
macula-fleet preflight                                      # who answers, and who is ready
macula-fleet install --check                                # what would be erased
macula-fleet install
macula-fleet rollout --canary 10%                           # after every change
\`\`\`

Your own NixOS modules go into \`flake/flake.nix\` (\`modules\`, \`hostModules\`). The flake gets the inventory as its
input \`inventory\`, and macula-fleet passes the current one with every command. Only bare Nix commands read
\`flake/inventory/fleet.json\` instead; before one of them:

\`\`\`sh
macula-fleet inventory resolve > flake/inventory/fleet.json
nix flake check --no-build ./flake                          # does every machine evaluate?
\`\`\`
`;
