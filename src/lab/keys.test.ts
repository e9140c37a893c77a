import ssh2 from "ssh2";
import { expect, it } from "vitest";
import { newKeyPair, publicKeyOf } from "./keys.ts";

it("makes only keys that can be read", () => {
  for (let i = 0; i < 1500; i++) {
    const key = newKeyPair("node-01 (lab)");
    expect(ssh2.utils.parseKey(key.private)).not.toBeInstanceOf(Error);
    if (i % 100 === 0) expect(key.public.startsWith(publicKeyOf(key.private))).toBe(true);
  }
});
