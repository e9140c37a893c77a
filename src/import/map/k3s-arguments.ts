/** `k3s_args` -> role, typed fields, and the rest. Pure. */

export interface K3sArguments {
  readonly role: "server" | "agent" | null;
  readonly clusterInit: boolean;
  readonly nodeName: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly string[];
  readonly server: string | null;
  readonly token: string | null;
  readonly flannelBackend: string | null;
  readonly datastore: string | null;
  readonly rest: readonly string[];
  readonly problems: readonly { readonly what: string; readonly suggestion: string }[];
}

/** Flags that take no value: the next word is not theirs. */
const SWITCHES = new Set([
  "--cluster-init",
  "--disable-cloud-controller",
  "--disable-network-policy",
  "--disable-kube-proxy",
  "--disable-helm-controller",
  "--secrets-encryption",
  "--protect-kernel-defaults",
  "--selinux",
  "--rootless",
  "--docker",
  "--no-flannel",
  "--debug",
]);

const REMOVED: Readonly<Record<string, string>> = {
  "--docker": "k3s has no dockershim any more: rebuild what used it on containerd",
  "--cluster-secret": "use the cluster's token: clusters.NAME.tokenRef",
  "--agent-shared-secret": "use the cluster's agentTokenRef",
  "--no-flannel": "write flannelBackend: none for the cluster",
};

export function parseK3sArguments(args: readonly string[]): K3sArguments {
  const words = args.flatMap((a) =>
    /^-/.test(a) && /\s/.test(a) && !a.includes("=") ? a.split(/\s+/) : [a],
  );
  const labels: Record<string, string> = {};
  const taints: string[] = [];
  const rest: string[] = [];
  const problems: { what: string; suggestion: string }[] = [];
  const one: Record<"nodeName" | "server" | "token" | "flannelBackend" | "datastore", string | null> = {
    nodeName: null,
    server: null,
    token: null,
    flannelBackend: null,
    datastore: null,
  };
  let role: "server" | "agent" | null = null;
  let clusterInit = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (!word.startsWith("-")) {
      if (i === 0 && (word === "server" || word === "agent")) role = word;
      else rest.push(word);
      continue;
    }
    const [flag = word, inline] = split(word);
    const next = words[i + 1];
    const takes = inline === null && !SWITCHES.has(flag) && next !== undefined && !next.startsWith("-");
    if (takes) i++;
    const value = inline ?? (takes ? (next ?? "") : "");
    switch (flag) {
      case "--cluster-init":
        clusterInit = value !== "false";
        break;
      case "--node-name":
        one.nodeName = value;
        break;
      case "--server":
      case "-s":
        one.server = value;
        break;
      case "--token":
      case "-t":
        one.token = value;
        break;
      case "--datastore-endpoint":
        one.datastore = value;
        break;
      case "--node-label":
        for (const pair of value.split(","))
          labels[pair.split("=")[0] ?? pair] = pair.split("=").slice(1).join("=");
        break;
      case "--node-taint":
        taints.push(...value.split(","));
        break;
      case "--flannel-backend":
        one.flannelBackend = value === "wireguard" ? "wireguard-native" : value;
        if (value === "ipsec") {
          one.flannelBackend = null;
          problems.push({
            what: "flannel's ipsec backend is gone",
            suggestion: "choose wireguard-native for the whole cluster",
          });
        }
        break;
      case "--no-deploy":
        rest.push(...value.split(",").map((v) => `--disable=${v}`));
        break;
      default:
        if (REMOVED[flag]) problems.push({ what: `${flag} is gone from k3s`, suggestion: REMOVED[flag] });
        else rest.push(value === "" && inline === null ? flag : `${flag}=${value}`);
    }
  }
  return { role, clusterInit, ...one, labels, taints, rest, problems };
}

function split(word: string): [string, string | null] {
  const at = word.indexOf("=");
  return at < 0 ? [word, null] : [word.slice(0, at), word.slice(at + 1)];
}
