/** Kernel modules and settings. */
import { type Contribution, type Mapping, needs } from "../contribution.ts";

/** Modules that are not in the kernel's own tree: k3OS images carried them. */
const OUT_OF_TREE = new Set([
  "zfs",
  "spl",
  "nvidia",
  "nvidia_uvm",
  "nvidia_drm",
  "8812au",
  "88x2bu",
  "drbd",
  "v4l2loopback",
]);

export const modules: Mapping = {
  topic: "kernel modules",
  map({ os }): Contribution {
    const listed = (os.modules ?? []).map((m) => m.trim()).filter((m) => m !== "");
    if (listed.length === 0) return {};
    const names = listed.map((m) => m.split(/\s+/)[0] ?? m);
    return {
      host: { kernel: { modules: names } },
      human: listed.flatMap((line) => {
        const [name = "", ...options] = line.split(/\s+/);
        return [
          ...(OUT_OF_TREE.has(name)
            ? [
                needs(
                  "kernel modules",
                  `${name} is not part of the kernel`,
                  `add it by boot.extraModulePackages in the flake, or leave it out`,
                ),
              ]
            : []),
          ...(options.length > 0
            ? [
                needs(
                  "kernel modules",
                  `${name} has options: ${options.join(" ")}`,
                  `boot.extraModprobeConfig = "options ${line}"; in the flake`,
                ),
              ]
            : []),
        ];
      }),
    };
  },
};

export const sysctls: Mapping = {
  topic: "kernel settings",
  map: ({ os }) =>
    os.sysctls && Object.keys(os.sysctls).length > 0
      ? { host: { kernel: { sysctls: { ...os.sysctls } } } }
      : {},
};

export const environment: Mapping = {
  topic: "environment",
  map({ os }): Contribution {
    const names = Object.keys(os.environment ?? {});
    const proxies = names.filter((n) => /^(?:https?|no|all|ftp)_proxy$/i.test(n));
    const others = names.filter((n) => !proxies.includes(n));
    return {
      human: [
        ...(proxies.length > 0
          ? [
              needs(
                "environment",
                `a proxy is set: ${proxies.join(", ")}`,
                "networking.proxy in the flake; the installer does not use it",
              ),
            ]
          : []),
        ...(others.length > 0
          ? [
              needs(
                "environment",
                `every process got ${others.join(", ")}`,
                "give each to the service that needs it; secrets through an environment file",
              ),
            ]
          : []),
      ],
    };
  },
};
