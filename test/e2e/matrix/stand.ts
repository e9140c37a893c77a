/** What the scenarios of the command matrix have in common: one lab, hosts by number, runs that are steered. */
import { expect } from "vitest";
import type { Ran, Started } from "../../support/cli-process.ts";
import { type FleetLab, runId } from "../support/lab.ts";
import { type Matrix, Steered } from "../support/matrix.ts";

export type Stand = ReturnType<typeof createStand>;
export type Scenario = (stand: Stand) => Promise<void>;

export const IN_FLIGHT = /"to":"confirming"/;
export const node = (n: number): string => `node-${String(n).padStart(2, "0")}`;
/** As a `--limit`. */
export const hosts = (first: number, last: number): string =>
  Array.from({ length: last - first + 1 }, (_, i) => node(first + i)).join(",");

export function createStand(lab: FleetLab, matrix: Matrix) {
  const steered = (id: string) => new Steered(lab, matrix, id);
  return {
    lab,
    steered,
    /** A rollout of f1 to some hosts; flags override. */
    rollout: (limit: string, ...flags: string[]): string[] => [
      ...["rollout", "--yes", "-o", "ndjson", "-l", limit, "--to", "f1"],
      ...flags,
    ],
    /** Driven by that process, steered from others; once it said so. */
    async driven(child: Started, said: RegExp): Promise<Steered> {
      await child.until(said);
      return steered(runId({ code: 0, stdout: child.stdout, stderr: "" }));
    },
    ended(ran: Ran, code: number): Steered {
      expect(ran.code, ran.stdout + ran.stderr).toBe(code);
      return steered(runId(ran));
    },
    ill: (n: number, kind: string) => lab.fault(node(n), kind),
  };
}
