/** The words inventories are made of. No transforms: what is parsed here is what the JSON Schema describes. */
import { z } from "zod";
import { DURATION_PATTERN } from "../duration.ts";

/** `10%`, `100%`: whole percentages only. */
export const PERCENT_PATTERN = /^(?:\d|[1-9]\d|100)%$/;

export const slug = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/,
    "must be a short lower-case name such as gent or arm-lab",
  );

export const text = z.string().min(1, "must not be empty");

export const duration = z
  .string({ error: "must be a duration such as 90s, 10m or 1h30m" })
  .regex(DURATION_PATTERN, "must be a duration such as 90s, 10m or 1h30m")
  .meta({ id: "duration" });

const QUANTITY = "must be a whole number such as 2 or a whole percentage such as 10%";
export const quantity = z
  .union([z.int(QUANTITY).min(0, QUANTITY), z.string().regex(PERCENT_PATTERN, QUANTITY)], { error: QUANTITY })
  .meta({ id: "quantity" });

export const count = z.int({ error: "must be a whole number" }).min(0, "must not be negative");

export const port = z
  .int({ error: "must be a port number, 1 to 65535" })
  .min(1, "must be a port number, 1 to 65535")
  .max(65535, "must be a port number, 1 to 65535");

/** Checked by the secret rules, so that a value that is no reference is never echoed by a schema message. */
export const secretRef = z
  .string({ error: "must be a reference: sops:FILE#path, file:PATH, env:NAME or cmd:COMMAND" })
  .min(1, "must be a reference: sops:FILE#path, file:PATH, env:NAME or cmd:COMMAND")
  .meta({
    id: "secretRef",
    description: "Where a secret lives, never the secret: sops:FILE#path, file:PATH, env:NAME or cmd:COMMAND",
  });

export const role = z.enum(["peer", "gateway", "bootstrap"]);

export const strings = z.array(text);

/** Label values; YAML numbers and booleans are welcome and become text. */
export const scalar = z.union([z.string(), z.number(), z.boolean()], {
  error: "must be a text, a number or true/false",
});

export const flakeRef = z
  .string()
  .regex(
    /^(?:\.{1,2}(?:$|[/#?])|\/|path:|git\+(?:https?|ssh|file):|https:\/\/|github:|gitlab:)/,
    "must be a flake reference: ./dir, path:…, git+https://…, git+ssh://…, https://… or github:…",
  );

export const publicKey = z
  .string()
  .regex(
    /^(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-[a-z0-9-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+=*(?: .*)?$/,
    "must be an OpenSSH public key such as: ssh-ed25519 AAAAC3Nza… name",
  );

export const checkConfig = z
  .looseObject({
    name: text.describe("Shown in the gate and in reports; unique per host"),
    type: text.describe("systemd, tcp, http, command, k3s, mesh, time or disk"),
  })
  .meta({ id: "check" });
