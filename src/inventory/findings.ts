/** Problems before they have a place: rules say which field, the documents know where it is written. */
import type { Problem, SourcePosition } from "./model.ts";

export type Path = readonly (string | number)[];

export interface Finding {
  readonly code: string;
  readonly severity: Problem["severity"];
  /** The field as people should read it. */
  readonly path: Path;
  /** Where that field was stated, if elsewhere (a group, a range, `defaults`). */
  readonly from?: Path;
  /** `key`: point at the key rather than at the value. */
  readonly point?: "key";
  readonly message: string;
  readonly fix?: string;
}

/** `hosts.node-03.disk.device`, `hosts."store-[001:120]".address`, `rollout.waves[2]`. */
export function formatPath(path: Path): string {
  return path
    .map((part, i) => {
      if (typeof part === "number") return `[${part}]`;
      const word = /^[\w-]+$/.test(part) ? part : JSON.stringify(part);
      return i === 0 ? word : `.${word}`;
    })
    .join("");
}

export function error(code: string, path: Path, message: string, more: Partial<Finding> = {}): Finding {
  return { code, severity: "error", path, message, ...more };
}

export function warning(code: string, path: Path, message: string, more: Partial<Finding> = {}): Finding {
  return { code, severity: "warning", path, message, ...more };
}

export function info(code: string, path: Path, message: string, more: Partial<Finding> = {}): Finding {
  return { code, severity: "info", path, message, ...more };
}

/** Adds the place. Findings without one keep only their path. */
export function toProblem(
  finding: Finding,
  locate: (path: Path, point?: "key") => SourcePosition | undefined,
): Problem {
  const at = locate(finding.from ?? finding.path, finding.point);
  return {
    code: finding.code,
    severity: finding.severity,
    path: formatPath(finding.path),
    message: finding.message,
    ...(finding.fix === undefined ? {} : { fix: finding.fix }),
    ...(at === undefined ? {} : { at }),
  };
}
