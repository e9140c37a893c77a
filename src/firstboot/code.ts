import { randomInt, timingSafeEqual } from "node:crypto";

/** 32 signs that nobody mistakes for one another: no I, O, 0, 1. */
export const CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
export const CODE_LENGTH = 6;

/** A pairing code of six signs from the system's random source: 30 bits, enough against ten tries. */
export function newCode(): string {
  return Array.from({ length: CODE_LENGTH }, () => CODE_ALPHABET[randomInt(CODE_ALPHABET.length)] ?? "").join(
    "",
  );
}

/** `ABC123` as people see it: `ABC-123`. */
export const showCode = (code: string): string => `${code.slice(0, 3)}-${code.slice(3)}`;

/** What somebody typed as a code: any case, with spaces and hyphens anywhere. Null when it cannot be one. */
export function readCode(typed: string): string | null {
  const code = typed.replace(/[\s\-–]/g, "").toUpperCase();
  return code.length === CODE_LENGTH && [...code].every((sign) => CODE_ALPHABET.includes(sign)) ? code : null;
}

/** Takes the same time for every pair of codes. */
export function sameCode(one: string, other: string): boolean {
  const a = Buffer.from(one);
  const b = Buffer.from(other);
  return a.length === b.length && timingSafeEqual(a, b);
}
