/** A forecast for people. Pure. */

import { alike, firstOf } from "../ui/view/alike.ts";
import { bytes as prettyBytes, duration as time } from "../ui/view/format.ts";
import { namesIn } from "../ui/view/plan.ts";
import type { FleetForecast, RolloutForecast } from "./forecast.ts";

const SITES = 12;

export function forecastText({ plan, good, unhealthy, cutOff }: FleetForecast): string {
  const waves = good.perWave.map(
    (w) =>
      `  wave ${w.index}  ${w.label.padEnd(18)} ${String(w.hosts).padStart(5)} hosts  ${time(w.startsMs).padStart(10)} to ${time(w.endsMs)}`,
  );
  const { shown, more } = firstOf(
    Object.entries(good.bytesPerSite).sort(([, a], [, b]) => b - a),
    SITES,
  );
  const sites = shown.map(([site, bytes]) => `  ${(site || "no site").padEnd(20)} ${prettyBytes(bytes)}`);
  const least = shown.at(-1)?.[1] ?? 0;
  if (more > 0) sites.push(`  and ${more} more sites, ${prettyBytes(least)} or less each`);
  const warnings = alike(plan.warnings, (text) => text, namesIn(plan)).flatMap((group) => {
    const few = firstOf(group, 3);
    return [...few.shown.map((w) => `! ${w}`), ...(few.more > 0 ? [`  and ${few.more} more like it`] : [])];
  });
  return [
    `Simulated, nothing was touched: ${plan.hosts.length} hosts in ${plan.waves.length} waves.`,
    "",
    `If all goes well it takes ${time(good.durationMs)} and ends ${words(good.end)}${because(good)}.`,
    `At most ${good.mostUnavailable} of ${good.hosts} hosts are being changed at once.`,
    ...waves,
    "",
    "Copied over each site's uplink, at most:",
    ...sites,
    "",
    "What a bad release would cost under these settings:",
    `  its service does not come up   ${cost(unhealthy)}`,
    `  it cuts its hosts off          ${cost(cutOff)}`,
    ...warnings,
    "",
  ].join("\n");
}

const words = (text: string): string => text.replaceAll("_", " ");
const because = (f: RolloutForecast): string =>
  f.reason === null || f.end === "succeeded" ? "" : ` (${f.reason})`;

function cost(f: RolloutForecast): string {
  const share = f.hosts === 0 ? 0 : Math.round((100 * f.touched) / f.hosts);
  const after =
    f.updated === 0
      ? "none keeps it"
      : `${f.updated} keep it, which nobody would have noticed by these checks`;
  return `${f.touched} of ${f.hosts} hosts (${share} %) try it, ${after}; ${words(f.end)} after ${time(f.durationMs)}, ${time(f.unavailableMs)} of host downtime`;
}
