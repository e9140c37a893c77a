import { FleetError } from "../../errors.ts";
import { corrupt, type Origin } from "../records.ts";

/** SQLite's primary result codes. */
const CORRUPT = new Set([11, 26]);
const BUSY = new Set([5, 6]);
const UNAVAILABLE: ReadonlyMap<number, string> = new Map([
  [3, "access was refused"],
  [5, "another process keeps it locked"],
  [6, "another process keeps it locked"],
  [8, "it is read-only"],
  [10, "reading or writing failed"],
  [13, "the disk is full"],
  [14, "it cannot be opened"],
]);

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  return error.errcode & 0xff;
}

/** Another connection is writing; trying again will help. */
export function isBusy(error: unknown): boolean {
  return BUSY.has(resultCode(error) ?? 0);
}

/** SQLite's errors in our words (`state-corrupt`, `store-unavailable`); anything else stays what it was. */
export function sqliteFailure(error: unknown, origin: Origin): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  if (CORRUPT.has(code)) return corrupt(origin, "the state file is damaged", {}, error);
  const reason = UNAVAILABLE.get(code);
  if (reason === undefined) return error;
  return new FleetError("store-unavailable", `${origin.name}: ${reason}`, {
    hint: "check its directory's permissions and free space, or choose another place with --state",
    cause: error,
  });
}
