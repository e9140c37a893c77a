/** Addresses as text: counting up, and telling private ones apart. */

export type Counted =
  | { readonly kind: "address"; readonly address: string }
  | { readonly kind: "invalid"; readonly reason: string }
  /** `last` is the last address there is; `fits` how many hosts find room. */
  | { readonly kind: "overflow"; readonly last: string; readonly fits: number };

export const isCounting = (address: string): boolean => address.endsWith("+");

/** `10.40.1.10+` at index 3 -> `10.40.1.13`. Never leaves the last octet (IPv4) or the last group (IPv6). */
export function countAddress(counting: string, index: number): Counted {
  const start = counting.slice(0, -1);
  const v4 = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.)(\d{1,3})$/.exec(start);
  if (v4 && isIpv4(start)) return step(v4[1] ?? "", Number(v4[2]), 255, index, 10);
  const v6 = /^([0-9a-f:]*:)([0-9a-f]{1,4})$/i.exec(start);
  if (v6) return step(v6[1] ?? "", Number.parseInt(v6[2] ?? "", 16), 0xffff, index, 16);
  return { kind: "invalid", reason: `"${counting}" does not start with an IP address` };
}

function step(prefix: string, first: number, max: number, index: number, radix: number): Counted {
  return first + index <= max
    ? { kind: "address", address: prefix + (first + index).toString(radix) }
    : { kind: "overflow", last: prefix + max.toString(radix), fits: max - first + 1 };
}

export function isIpv4(text: string): boolean {
  const octets = text.split(".");
  return octets.length === 4 && octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) <= 255);
}

function isIpv6(text: string): boolean {
  const [head = "", tail, ...more] = text.split("::");
  if (more.length > 0) return false;
  const groups = [head, tail ?? ""].flatMap((half) => (half === "" ? [] : half.split(":")));
  const v4 = isIpv4(groups.at(-1) ?? "");
  const hex = v4 ? groups.slice(0, -1) : groups;
  const count = hex.length + (v4 ? 2 : 0);
  return (
    hex.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) && (tail === undefined ? count === 8 : count < 8)
  );
}

/** RFC 1918, loopback, link-local, carrier-grade NAT, unique local IPv6. Names are not private. */
export function isPrivateAddress(address: string): boolean {
  if (isIpv4(address)) {
    const [a = 0, b = 0] = address.split(".").map(Number);
    return (
      a === 10 ||
      a === 127 ||
      (a === 172 && b >= 16 && b < 32) ||
      (a === 192 && b === 168) ||
      (a === 169 && b === 254) ||
      (a === 100 && b >= 64 && b < 128)
    );
  }
  return address.includes(":") && /^(?:::1$|f[cd]|fe[89ab])/i.test(address);
}

/** IP address or DNS name; an IPv6 address may carry a zone (`fe80::1%eth0`). */
export function isAddress(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return isIpv4(text);
  if (text.includes(":")) return isIpv6(text.replace(/%[\w.-]+$/, ""));
  return (
    text.length <= 253 &&
    text.split(".").every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$/i.test(label))
  );
}
