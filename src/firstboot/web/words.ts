import type { Outcome } from "../pairing.ts";

/** What a try is answered with; without `status` it is the JSON answer. */
export interface Said {
  readonly status: 200 | 400 | 403 | 409 | 410 | 423 | 429 | 502;
  readonly success?: true;
  readonly message?: string;
  readonly org_name?: string;
  readonly proposal?: string;
  readonly error?: string;
  readonly field?: "node_code" | "portal_code";
}

/** Outcomes in words for whoever stands in front of the machine. Pure. */
export function say(outcome: Outcome, proposal: string | null): Said {
  switch (outcome.kind) {
    case "paired":
      return {
        status: 200,
        success: true,
        message: "Paired. The machine restarts in 5 seconds.",
        org_name: outcome.orgIdentity,
        ...(proposal === null ? {} : { proposal }),
      };
    case "invalid":
      return {
        status: 400,
        field: outcome.field,
        error:
          outcome.field === "node_code"
            ? "The machine code has six letters and digits, like ABC-234. It is on the machine's screen."
            : "This does not look like a code from the portal.",
      };
    case "wrong-code":
      return {
        status: 403,
        field: "node_code",
        error: `That is not the code on the machine's screen. ${tries(outcome.triesLeft)}`,
      };
    case "refused":
      return {
        status: 400,
        field: "portal_code",
        error: `The portal says: ${outcome.reason}. ${tries(outcome.triesLeft)}`,
      };
    case "unavailable":
      return { status: 502, error: `Nothing was changed: ${outcome.reason}. Please try again.` };
    case "too-fast":
      return { status: 429, error: "One try a second. Please try again." };
    case "busy":
      return { status: 409, error: "Somebody else is pairing this machine right now." };
    case "locked":
      return { status: 423, error: "Too many wrong codes. Restart the machine to get a new one." };
    case "over":
      return { status: 410, error: "This machine is paired already." };
  }
}

const tries = (left: number) => `${left} ${left === 1 ? "try" : "tries"} left.`;
