/** Public keys of an authorized_keys file, without what they may do and whose they are. Pure. */

/** The base64 of every type begins with the length of its name: `AAAA`. */
const KEY = /((?:ssh|ecdsa|sk)-[a-z0-9@.-]+) +(AAAA[A-Za-z0-9+/]*=*)/;

/** `type base64` each. */
export function loginKeysIn(text: string): readonly string[] {
  const keys = text
    .split("\n")
    .filter((line) => !/^\s*#/.test(line))
    .flatMap((line) => KEY.exec(line)?.slice(1).join(" ") ?? []);
  return [...new Set(keys)];
}

/** Enough of a key to recognise it by. */
export const keyLabel = (key: string): string => {
  const [type = "", base64 = ""] = key.split(" ");
  return `${type} …${base64.replace(/=+$/, "").slice(-8)}`;
};
