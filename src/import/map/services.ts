/** Services, checks and backups. */
import { parse } from "yaml";
import { CLOUD_CONFIG, type Shape } from "../config/aliases.ts";
import type { Backup, HealthCheck } from "../config/model.ts";
import { isTree, normalise, type Tree } from "../config/normalise.ts";
import { type Contribution, type Mapping, type NeedsHuman, type NodeView, needs } from "../contribution.ts";
import { calendar } from "./calendar.ts";

export const gitops: Mapping = {
  topic: "gitops",
  map({ os }): Contribution {
    const git = os.gitops;
    if (!git?.enabled) return {};
    const human: NeedsHuman[] = [];
    if (git.server && git.server !== "soft-serve") {
      human.push(
        needs(
          "gitops",
          `its repositories are served by ${git.server}`,
          "soft-serve takes over the bare repositories below /var/lib/maculaos/git",
        ),
      );
    }
    if (git.upstreamSync?.enabled) {
      human.push(
        needs(
          "gitops",
          `it fetches ${git.upstreamSync.url ?? "an upstream"} every ${git.upstreamSync.interval ?? "?"}`,
          "a systemd timer in the flake: NixOS' soft-serve has no such thing",
        ),
      );
    }
    return {
      host: { services: { softServe: { enable: true, ...(git.port ? { port: git.port } : {}) } } },
      human,
    };
  },
};

export const nats: Mapping = {
  topic: "nats",
  map({ files }): Contribution {
    const local = files.text("/var/lib/maculaos/config.yaml") ?? "";
    return /^\s*nats:\s*(?:true|\n\s+enabled:\s*true)/m.test(local)
      ? { host: { services: { nats: { enable: true } } } }
      : {};
  },
};

/** Processes of k3OS and the unit that does their work here. */
const UNITS: Readonly<Record<string, string>> = {
  k3s: "k3s.service",
  "k3s-server": "k3s.service",
  "k3s-agent": "k3s.service",
  sshd: "sshd.service",
  "avahi-daemon": "avahi-daemon.service",
  "nats-server": "nats.service",
  "soft-serve": "soft-serve.service",
  soft: "soft-serve.service",
};

export const health: Mapping = {
  topic: "health",
  map(node): Contribution {
    const stated = node.os.health?.checks ?? [];
    const all: readonly HealthCheck[] =
      stated.length > 0 ? stated : ((separate(node, "health")?.checks as HealthCheck[] | undefined) ?? []);
    const human: NeedsHuman[] = [];
    const checks = all.flatMap((check, i): Tree[] => {
      const name = check.name || `check-${i + 1}`;
      const timeout = check.timeout ? { timeout: check.timeout } : {};
      if (check.action === "cleanup")
        human.push(
          needs(
            "health",
            `${name} deletes files when it fails`,
            "systemd.tmpfiles and journald's SystemMaxUse in the flake",
          ),
        );
      if (check.type === "http" && check.url) return [{ name, type: "http", url: check.url, ...timeout }];
      if (check.type === "disk")
        return [
          {
            name,
            type: "disk",
            path: check.path?.startsWith("/") ? check.path : "/",
            closures: 0,
            minMiB: 512,
            ...timeout,
          },
        ];
      const unit = check.process === undefined ? undefined : UNITS[check.process];
      if (check.type === "process" && unit) return [{ name, type: "systemd", units: [unit], ...timeout }];
      human.push(
        needs(
          "health",
          `${name} watches ${check.process ?? check.type ?? "something"} in a way that has no equal here`,
          "write a check of type systemd, tcp or command",
        ),
      );
      return [];
    });
    return { ...(checks.length > 0 ? { host: { health: { checks } } } : {}), human };
  },
};

export const backup: Mapping = {
  topic: "backup",
  map(node): Contribution {
    const stated: Backup | undefined =
      node.os.backup ?? (separate(node, "backup") as Backup | null) ?? undefined;
    const cron = node.files.text("/etc/cron.d/maculaos-backup");
    if (!stated?.enabled && cron === undefined) return {};
    const target = stated?.target ?? "local";
    const stating =
      stated?.schedule ?? /^\s*((?:\S+\s+){5})/m.exec(cron?.replace(/^#.*$/gm, "") ?? "")?.[1]?.trim();
    const schedule = stating === undefined ? null : calendar(stating);
    return {
      host: {
        // Not `enable`: there is nowhere to put them yet.
        backup: {
          ...(schedule ? { schedule } : {}),
          ...(stated?.retention ? { retention: stated.retention } : {}),
          ...(stated?.include?.length ? { include: [...stated.include] } : {}),
          ...(stated?.exclude?.length ? { exclude: [...stated.exclude] } : {}),
        },
      },
      human: [
        target === "local"
          ? needs(
              "backup",
              "its backups stay on its own disk",
              "set backup.repository, backup.passwordRef and backup.enable; the old ones are in the conversion's archive",
            )
          : needs(
              "backup",
              `its backups should go to ${target}, which k3OS never did`,
              "choose a repository for restic: backup.repository, backup.passwordRef and backup.enable",
            ),
        ...(stating !== undefined && schedule === null
          ? [needs("backup", `its schedule is "${stating}"`, "say it as systemd does: systemd.time(7)")]
          : []),
      ],
    };
  },
};

export const dataSources: Mapping = {
  topic: "data sources",
  map: ({ os }) =>
    os.dataSources?.length
      ? {
          notes: [
            `data sources are not asked again (${os.dataSources.join(", ")}): what they said is merged here`,
          ],
          human: os.dataSources.some((d) =>
            /^(?:aws|gcp|openstack|digitalocean|packet|scaleway|hetzner)$/.test(d),
          )
            ? [
                needs(
                  "data sources",
                  "its cloud may change keys and names at every start",
                  "the inventory says them from now on",
                ),
              ]
            : [],
        }
      : {},
};

/** `health.yaml` and `backup.yaml` beside the configuration: the same fields, with or without their own name on top. */
function separate({ files }: NodeView, name: "health" | "backup"): Tree | null {
  const text = files.text(`/var/lib/maculaos/${name}.yaml`);
  if (text === undefined) return null;
  try {
    const data: unknown = parse(text);
    const inner = isTree(data) && isTree(data[name]) ? data[name] : data;
    const shape = (CLOUD_CONFIG.maculaos as Shape)[name] as Shape;
    return isTree(inner) ? normalise(shape, inner, name, []) : null;
  } catch {
    return null;
  }
}
