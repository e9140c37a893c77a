import { FleetError } from "../../errors.ts";
import { corrupt, type Origin } from "../records.ts";

/** What cannot work now: by SQLSTATE (or its class), by the driver's names, by the operating system's. */
const UNAVAILABLE =
  /^(?:08...|53...|57...|28...|3D000|42501|25006|55P03|40001|40P01|CONNECTION_\w+|CONNECT_TIMEOUT|SASL_\w+|E[A-Z_]{3,})$/;
const RETRY = new Set(["40001", "40P01"]);

function errorCode(error: unknown): string | undefined {
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Two transactions met; the same one may succeed when it is run again. */
export function isConflict(error: unknown): boolean {
  return RETRY.has(errorCode(error) ?? "");
}

/** The driver's and the server's errors in our words; anything else stays what it was. Never shows a password. */
export function postgresFailure(error: unknown, origin: Origin): unknown {
  const code = errorCode(error);
  if (code === undefined || error instanceof FleetError) return error;
  if (code === "XX001" || code === "XX002") return corrupt(origin, "the database is damaged", {}, error);
  if (!UNAVAILABLE.test(code)) return error;
  const message = error instanceof Error && error.message !== "" ? error.message : code;
  return new FleetError("store-unavailable", `${origin.name}: ${message}`, {
    hint: "check that the server runs and lets this user in; the password may come from PGPASSWORD",
    cause: error,
  });
}
