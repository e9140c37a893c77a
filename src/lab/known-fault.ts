import { closest } from "fastest-levenshtein";
import { FleetError } from "../errors.ts";
import { FAULT_KINDS, type FaultKind } from "./machine/fault.ts";

/** The fault `kind` names, in either lab; `usage` with a suggestion when there is none. */
export function knownFault(kind: string): FaultKind {
  const fault = FAULT_KINDS.find((k) => k === kind);
  if (fault) return fault;
  throw new FleetError(
    "usage",
    `no fault "${kind}"; did you mean ${closest(kind, [...FAULT_KINDS, "none"])}?`,
    {
      hint: `faults are ${FAULT_KINDS.join(", ")}; none clears them`,
    },
  );
}
