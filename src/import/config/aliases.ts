/** The names a field of k3OS's configuration may have, as its `rename.go` accepts them. Pure. */

/** Shape of a configuration: what each object may hold, by canonical name. */
export interface Shape {
  readonly [field: string]: Kind;
}
export type Kind = "string" | "bool" | "number" | "strings" | "map" | Shape | readonly [Shape];

const file: Shape = {
  encoding: "string",
  content: "string",
  owner: "string",
  path: "string",
  permissions: "string",
};
const check: Shape = {
  name: "string",
  type: "string",
  process: "string",
  url: "string",
  path: "string",
  interval: "string",
  timeout: "string",
  threshold: "string",
  restartOnFailure: "bool",
  maxRestarts: "number",
  action: "string",
};
const maculaos: Shape = {
  dataSources: "strings",
  modules: "strings",
  sysctls: "map",
  ntpServers: "strings",
  dnsNameservers: "strings",
  wifi: [{ name: "string", passphrase: "string" }],
  password: "string",
  serverUrl: "string",
  token: "string",
  labels: "map",
  k3sArgs: "strings",
  environment: "map",
  taints: "strings",
  install: {
    forceEfi: "bool",
    device: "string",
    configUrl: "string",
    silent: "bool",
    isoUrl: "string",
    powerOff: "bool",
    noFormat: "bool",
    debug: "bool",
    tty: "string",
  },
  mesh: {
    roles: { bootstrap: "bool", gateway: "bool" },
    bootstrapPeers: "strings",
    realm: "string",
    tlsMode: "string",
  },
  gitops: {
    enabled: "bool",
    server: "string",
    port: "number",
    dataPath: "string",
    upstreamSync: { enabled: "bool", url: "string", interval: "string" },
  },
  health: { checks: [check] },
  backup: {
    enabled: "bool",
    schedule: "string",
    retention: "number",
    target: "string",
    include: "strings",
    exclude: "strings",
    mesh: { replicationFactor: "number" },
    s3: { endpoint: "string", bucket: "string", prefix: "string" },
  },
};

export const CLOUD_CONFIG: Shape = {
  sshAuthorizedKeys: "strings",
  writeFiles: [file],
  hostname: "string",
  maculaos,
  runCmd: "strings",
  bootCmd: "strings",
  initCmd: "strings",
};

const snake = (name: string): string => name.replace(/(?<=[a-z0-9])[A-Z]/g, (c) => `_${c}`).toLowerCase();

/** Every spelling -> canonical name. `k3os` stands for `maculaos` at the top: the tree of an original k3OS. */
export function aliasesOf(shape: Shape): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const add = (spelling: string, name: string) => {
    names.set(spelling.toLowerCase(), name);
    names.set(snake(spelling), name);
  };
  for (const name of Object.keys(shape)) {
    if (name.endsWith("s") && name.length > 1) add(name.slice(0, -1), name);
    if (name.endsWith("es") && name.length > 2) add(name.slice(0, -2), name);
    add(name, name);
    names.set(name, name);
  }
  if (Object.hasOwn(shape, "maculaos")) names.set("k3os", "maculaos");
  // `pass` and `password` are added to every object; only where there is a passphrase does it mean anything.
  if (Object.hasOwn(shape, "passphrase")) {
    names.set("pass", "passphrase");
    names.set("password", "passphrase");
  }
  return names;
}
