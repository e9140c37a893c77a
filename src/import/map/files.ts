/** Files the configuration wrote, and commands it ran. */
import { Buffer } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { secretShape } from "../../inventory/redact.ts";
import { Secret } from "../../kernel/secret.ts";
import type { WriteFile } from "../config/model.ts";
import type { Tree } from "../config/normalise.ts";
import {
  type Contribution,
  type Mapping,
  type NeedsHuman,
  needs,
  type SecretFile,
  secretFile,
} from "../contribution.ts";

const IMMUTABLE = /^\/(?:usr|sbin|bin|lib)\//;
const SECRET_LINE = /(?:token|secret|passw|passphrase|psk|private_?key|api_?key)[\w.-]*["']?\s*[:=]\s*\S/i;

export const files: Mapping = {
  topic: "files",
  map(node): Contribution {
    const human: NeedsHuman[] = [];
    const secrets: SecretFile[] = [];
    const list = (node.config.writeFiles ?? []).flatMap((file, i): Tree[] => {
      const path = file.path ?? "";
      const content = decoded(file);
      const because = content === null ? "its encoding is not known" : refusal(path, content);
      if (because !== null) {
        human.push(
          needs(
            "files",
            `${path || "a file without a path"}: ${because}`,
            "decide what of it is still needed, and write that in the flake",
          ),
        );
        return [];
      }
      if (file.owner && !/^root(?::root)?$/.test(file.owner)) {
        human.push(
          needs(
            "files",
            `${path} belongs to ${file.owner}`,
            "files of the inventory belong to root: use systemd.tmpfiles in the flake",
          ),
        );
      }
      const mode = file.permissions ? `0${file.permissions.replace(/^0+o?/, "").padStart(3, "0")}` : "0644";
      if (!secret(content ?? "", mode)) return [{ path, mode, content: content ?? "" }];
      const name = secretFile(node, `file-${i}`);
      secrets.push({ file: name, value: new Secret(content ?? "") });
      return [{ path, mode, ref: `file:${name}` }];
    });
    return { ...(list.length > 0 ? { host: { files: list } } : {}), human, secrets };
  },
};

function refusal(path: string, content: string): string | null {
  if (!path.startsWith("/")) return "its path is not absolute";
  if (IMMUTABLE.test(path)) return "it goes where NixOS keeps nothing writable";
  if (/^\/etc\/rancher\/k3s\/(?:registries|config)\.ya?ml$/.test(path))
    return "these are settings of k3s, which have fields of their own";
  if (content.startsWith("\u007fELF")) return "it is a program, made for another C library";
  if (content.includes("\ufffd") || content.includes("\0")) return "it is not text";
  if (/^#!.*\/(?:openrc-run|runscript)/.test(content)) return "it is a service script of OpenRC";
  return null;
}

/** Whoever may not read it from the host may not read it from the inventory. */
const secret = (content: string, mode: string): boolean =>
  /[0-7]00$/.test(mode) || secretShape(content) !== undefined || SECRET_LINE.test(content);

/** `b64`, `base64`, `gz`, `gzip`, `gz+b64` …, as cloud-init names them; null: unknown. */
function decoded({ encoding = "", content = "" }: WriteFile): string | null {
  const parts = encoding
    .toLowerCase()
    .split("+")
    .map((p) => p.trim())
    .filter((p) => p !== "");
  try {
    let data = Buffer.from(content, "utf8");
    for (const part of parts.reverse()) {
      if (part === "b64" || part === "base64") data = Buffer.from(data.toString("latin1"), "base64");
      else if (part === "gz" || part === "gzip") data = gunzipSync(data);
      else return null;
    }
    return data.toString("utf8");
  } catch {
    return null;
  }
}

const SUGGESTIONS: readonly (readonly [RegExp, string])[] = [
  [/\bapk\s+add\b/, "environment.systemPackages in the flake"],
  [/\brc-(?:service|update)\b|\bservice\s/, "a systemd service in the flake"],
  [/\bconnmanctl\b/, "network in the inventory"],
  [/\bmodprobe\b/, "kernel.modules in the inventory"],
  [/\bsysctl\b/, "kernel.sysctls in the inventory"],
  [/\bmount\b/, "fileSystems in the flake"],
  [/\b(?:kubectl|k3s)\b/, "a manifest in the cluster's own repository"],
  [/\bhostname\b/, "the host's name in the inventory"],
  [/\bcrontab\b/, "a systemd timer in the flake"],
];

export const commands: Mapping = {
  topic: "commands",
  map: ({ config }) => ({
    human: (["initCmd", "bootCmd", "runCmd"] as const).flatMap((kind) =>
      (config[kind] ?? []).map((line) =>
        needs(
          "commands",
          `${kind}: ${secretShape(line) || SECRET_LINE.test(line) ? `${line.split(/\s+/)[0] ?? ""} … (with a secret)` : line.split("\n")[0]}`,
          SUGGESTIONS.find(([pattern]) => pattern.test(line))?.[1] ??
            "a systemd service in the flake, or nothing if it is not needed any more",
        ),
      ),
    ),
  }),
};

export const cron: Mapping = {
  topic: "cron",
  map: ({ files: all }) => ({
    human: all
      .below("/etc/cron.d")
      .filter((path) => !path.endsWith("maculaos-backup"))
      .map((path) => needs("cron", `${path} runs commands by the clock`, "a systemd timer in the flake")),
  }),
};
