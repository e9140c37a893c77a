/** An installation's plan for people: what runs there now, and exactly what will be erased. Pure. */
import type { DataDisk } from "../install/data-disks.ts";
import type { Disk } from "../install/disk.ts";
import { type InstallPlan, type InstallTarget, losesData } from "../install/plan.ts";
import { bytes, plural, shortRevision } from "../ui/view/format.ts";
import { bad, dim, type Line, line, strong, warn } from "../ui/view/line.ts";
import { pad } from "../ui/view/width.ts";

export function installPlanLines(plan: InstallPlan): Line[] {
  const width = Math.max(0, ...plan.hosts.map((h) => h.name.length));
  return [
    line(
      strong(plan.id),
      ` install ${plan.fleet} `,
      strong(shortRevision(plan.revision)),
      `   ${plural(plan.hosts.length, "machine")}`,
      plan.excluded.length > 0 && dim(`, ${plan.excluded.length} left alone`),
    ),
    ...plan.hosts.flatMap(({ name, role, site, closureBytes }) => {
      const target = plan.targets[name];
      if (!target) return [];
      const what = [role, site ?? "-", `runs ${target.runs || "an unknown system"}`].join("  ");
      return [
        line("  ", strong(pad(name, width)), `  ${what}`, dim(`  gets ${bytes(closureBytes)}`)),
        ...targetLines(target),
      ];
    }),
    ...Object.entries(plan.refusals).flatMap(([name, refusals]) =>
      refusals.flatMap((r) => [
        line(bad("  refused "), strong(name), ` ${r.message}`),
        line(dim(`          fix: ${r.fix}`)),
      ]),
    ),
    ...plan.excluded
      .filter((e) => !Object.hasOwn(plan.refusals, e.host))
      .map((e) =>
        line(e.state === "deferred" ? warn("  silent  ") : dim("  skipped "), e.host, dim(`  ${e.reason}`)),
      ),
    line(dim(` plan hash ${plan.hash}`)),
  ];
}

/** What is lost, and what else is to be known before anybody confirms it. */
export function targetLines(target: InstallTarget): Line[] {
  return [...erasure(target), ...target.warnings.map((text) => line(warn("    warning "), text))];
}

function erasure(target: InstallTarget): Line[] {
  const { disk } = target;
  if (disk === null) return [line(dim("    a lab's container: a directory of it takes the place of a disk"))];
  return [
    line("    ", bad("ERASES"), ` ${disk.path}`, `  ${aboutDisk(disk)}`),
    ...(disk.contents.length === 0
      ? [line(dim(`           which is empty${losesData(target) ? "" : ": nothing is lost"}`))]
      : contents(disk)),
    ...target.data.flatMap(dataLines),
  ];
}

function dataLines(disk: DataDisk): Line[] {
  const place = dim(`  ${disk.fsType} at ${disk.mountpoint}`);
  const words = { erased: bad("ERASES"), formatted: warn("formats"), kept: "keeps" };
  return [
    line("    ", words[disk.becomes], ` ${disk.path}`, `  ${aboutDisk(disk)}`, place),
    ...(disk.contents.length === 0 ? [line(dim("           which is blank"))] : contents(disk)),
  ];
}

const aboutDisk = (disk: Disk): string =>
  [disk.model, disk.serial && `serial ${disk.serial}`, bytes(disk.size * 1024)].filter(Boolean).join(", ");

const contents = (disk: Disk): Line[] => disk.contents.map((c) => line(`           ${c}`));
