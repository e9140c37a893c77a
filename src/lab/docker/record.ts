import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { FleetError } from "../../errors.ts";
import { labLayout } from "../layout.ts";

/** `DIR/lab.json` of a docker lab. Written before the first container, so that `lab down` always knows what to remove. */
export const DockerLab = z.strictObject({
  schema: z.literal(1),
  note: z.string(),
  backend: z.literal("docker"),
  /** Value of the label on everything this lab made. */
  id: z.string().regex(/^[0-9a-f]{8}$/),
  network: z.string(),
  /** Seconds since the epoch. */
  started: z.number(),
  hosts: z.array(
    z.strictObject({
      name: z.string(),
      container: z.string(),
      address: z.string(),
      user: z.string(),
      suite: z.enum(["bookworm", "trixie"]),
      role: z.enum(["peer", "gateway", "bootstrap"]),
      site: z.string(),
    }),
  ),
});
export type DockerLab = z.infer<typeof DockerLab>;
export type DockerLabHost = DockerLab["hosts"][number];

/** Null when `dir` holds no docker lab (it may hold a simulated one). */
export function readDockerLab(dir: string): DockerLab | null {
  let text: string;
  try {
    text = readFileSync(labLayout(dir).lab, "utf8");
  } catch {
    return null;
  }
  const parsed = DockerLab.safeParse(parseJson(text));
  return parsed.success ? parsed.data : null;
}

export function writeDockerLab(dir: string, lab: DockerLab): void {
  const file = labLayout(dir).lab;
  writeFileSync(`${file}.new`, `${JSON.stringify(lab, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Throws `lab-failed` when there is none. */
export function requireDockerLab(dir: string): DockerLab {
  const lab = readDockerLab(dir);
  if (lab) return lab;
  throw new FleetError("lab-failed", `no docker lab in ${dir}`, {
    hint: `macula-fleet lab up --backend docker --dir ${dir}`,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
