/** What a script's exit status means (`R_…` in `prelude.sh`). A new refusal: one line there, one line here. */
import { z } from "zod";
import { type ErrorCode, FleetError } from "../errors.ts";
import type { Completed } from "../transport/transport.ts";

interface Refusal {
  readonly code: ErrorCode;
  readonly hint?: string;
}

export const REFUSALS: Readonly<Record<number, Refusal>> = {
  40: { code: "host-protocol" },
  41: {
    code: "host-fenced",
    hint: "another controller is or was in charge; if its state is lost for good, remove /var/lib/macula-fleet/state.json there",
  },
  42: { code: "host-busy", hint: "it is tried again; `macula-fleet status` shows what is active there" },
  43: { code: "host-held", hint: "macula-fleet unhold HOST, or macula-fleet unlock HOST" },
  44: { code: "plan-stale", hint: "somebody changed this host meanwhile: make a new plan" },
  45: { code: "copy-failed", hint: "stage it again: a garbage collection may have taken parts of it" },
  46: { code: "host-disk-full", hint: "macula-fleet gc -l HOST" },
  47: { code: "host-unsuitable" },
  48: { code: "host-protocol", hint: "the host has forgotten this activation, or never knew it" },
  49: { code: "activation-failed", hint: "its log says why: macula-fleet rollout status --host HOST" },
  50: { code: "activation-failed" },
  51: {
    code: "copy-alien",
    hint: "that neighbour's store is damaged or tampered with: nix-store --verify --check-contents there",
  },
  52: {
    code: "host-not-now",
    hint: "its owner decides, in /etc/macula-fleet/consent.d there; against its will: --ignore-consent",
  },
};

const NOT_NOW = 52;
/** What a host prints besides the sentence when its owner does not consent; seconds. */
const NotNow = z.object({ askAgainIn: z.number().positive().nullable() });

const NO_ROOM = /no space left on device|disk quota exceeded|database or disk is full/i;

/** The error of an operation that did not exit 0. `label` is the operation's name, as in logs. */
export function refusalOf(host: string, label: string, result: Completed): FleetError {
  const said = lastWords(result.stderr);
  // What its owner's programs say is theirs to word.
  if (result.code !== NOT_NOW && NO_ROOM.test(result.stderr)) {
    return new FleetError("host-disk-full", `${host} has no room left: ${said}`, {
      hint: `macula-fleet gc -l ${host}`,
    });
  }
  const refusal = result.code === null ? undefined : REFUSALS[result.code];
  if (refusal) {
    const hint = refusal.hint?.replaceAll("HOST", host);
    const askAgainMs = result.code === NOT_NOW ? askAgain(result.stdout) : undefined;
    return new FleetError(refusal.code, `${host}: ${said}`, {
      ...(hint === undefined ? {} : { hint }),
      ...(askAgainMs === undefined ? {} : { askAgainMs }),
    });
  }
  if (result.code === 1 && /^(sudo|doas):/m.test(result.stderr)) {
    return new FleetError("elevation-refused", `${host}: ${said}`, {
      hint: "give the login user sudo or doas without a password, or log in as root",
    });
  }
  const how =
    result.code === null ? `was ended by ${result.signal ?? "a signal"}` : `ended with exit ${result.code}`;
  return new FleetError("host-protocol", `${host}: ${label} ${how}${said === "" ? "" : `: ${said}`}`);
}

function askAgain(stdout: string): number | undefined {
  try {
    const { askAgainIn } = NotNow.parse(JSON.parse(stdout));
    return askAgainIn === null ? undefined : askAgainIn * 1000;
  } catch {
    return undefined; // The sentence says what there is to know.
  }
}

/** Our own sentence if there is one, else the last line, without the prefix. */
function lastWords(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const own = lines.filter((line) => line.startsWith("macula-fleet: ")).at(-1);
  return (own?.slice("macula-fleet: ".length) ?? lines.at(-1) ?? "").slice(0, 400);
}
