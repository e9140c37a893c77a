/** Reading what a host printed: zod-checked, and anything unexpected is shown short. */
import type { z } from "zod";
import { FleetError } from "../errors.ts";

const EXCERPT = 160;

/** Parses JSON of `schema`; throws `host-protocol` with an excerpt of what came instead. */
export function parseAnswer<T>(host: string, label: string, stdout: string, schema: z.ZodType<T>): T {
  const excerpt = () => JSON.stringify(stdout.length > EXCERPT ? `${stdout.slice(0, EXCERPT)}…` : stdout);
  let data: unknown;
  try {
    data = JSON.parse(stdout);
  } catch {
    throw new FleetError(
      "host-protocol",
      `${host} answered ${label} with something else than JSON: ${excerpt()}`,
      {
        hint: "a login script that prints to stdout breaks the protocol: make it silent for commands",
      },
    );
  }
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? "" : ` (${issue.path.join(".")}: ${issue.message})`;
  throw new FleetError("host-protocol", `${host} answered ${label} unexpectedly${where}: ${excerpt()}`);
}
