import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { decodeQR } from "qr/decode.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CODE_ALPHABET, newCode, readCode, sameCode, showCode } from "../../src/firstboot/code.ts";
import { consoleText } from "../../src/firstboot/console.ts";
import { didOf, ensureIdentity } from "../../src/firstboot/identity.ts";
import { readOptions } from "../../src/firstboot/options.ts";
import { MAX_TRIES, Pairing } from "../../src/firstboot/pairing.ts";
import { qrSvg, qrText } from "../../src/firstboot/qr.ts";
import { isOwnHost } from "../../src/firstboot/web/guard.ts";
import { isNear } from "../../src/firstboot/web/lan.ts";
import { Secret } from "../../src/kernel/secret.ts";

describe("codes", () => {
  it("use only signs that are not mistaken for others, and all of them", () => {
    const signs = new Set(Array.from({ length: 500 }, newCode).join(""));
    expect([...signs].sort().join("")).toBe([...CODE_ALPHABET].sort().join(""));
    expect(CODE_ALPHABET).not.toMatch(/[IO01]/);
  });

  it("are read however they are typed, and as nothing else", () => {
    const code = fc
      .array(fc.constantFrom(...CODE_ALPHABET), { minLength: 6, maxLength: 6 })
      .map((signs) => signs.join(""));
    fc.assert(
      fc.property(code, code, (one, other) => {
        expect(readCode(showCode(one).toLowerCase())).toBe(one);
        expect(readCode(` ${one.slice(0, 2)} ${one.slice(2)}`)).toBe(one);
        expect(sameCode(one, other)).toBe(one === other);
      }),
    );
    fc.assert(
      fc.property(
        fc.string(),
        (text) => readCode(text) === null || /^[A-Z2-9]{6}$/.test(readCode(text) ?? ""),
      ),
    );
    for (const text of ["", "ABC-12", "ABC-1234", "ABC-10O"]) expect(readCode(text)).toBeNull();
  });
});

describe("one try at a time", () => {
  const pairing = (now: () => number, exchange: () => Promise<void>) =>
    new Pairing({
      code: "ABC234",
      hostname: "x",
      clock: { now, sleep: async () => undefined },
      keep: async () => undefined,
      portal: {
        exchange: async () => {
          await exchange();
          const credentials = { userName: "a", orgIdentity: "o", refreshToken: new Secret("t") };
          return { kind: "paired", credentials };
        },
      },
    });
  const signal = new AbortController().signal;
  const right = { nodeCode: "ABC-234", portalCode: "PORTAL" };

  it("a second, whoever asks", async () => {
    let now = 0;
    const p = pairing(
      () => now,
      async () => undefined,
    );
    const wrong = { ...right, nodeCode: "AAA-AAA" };
    expect((await p.attempt(wrong, signal)).kind).toBe("wrong-code");
    now = 999;
    expect((await p.attempt(right, signal)).kind).toBe("too-fast");
    expect(p.triesLeft).toBe(MAX_TRIES - 1);
    now = 1000;
    expect((await p.attempt(right, signal)).kind).toBe("paired");
    expect((await p.attempt(right, signal)).kind).toBe("over");
  });

  it("while the portal is asked", async () => {
    let now = 0;
    const gate = Promise.withResolvers<void>();
    const p = pairing(
      () => {
        now += 5000;
        return now;
      },
      () => gate.promise,
    );
    const first = p.attempt(right, signal);
    expect((await p.attempt(right, signal)).kind).toBe("busy");
    gate.resolve();
    expect((await first).kind).toBe("paired");
  });
});

describe("the identity", () => {
  let directory = "";
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "identity-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("is an Ed25519 key and the name that follows from it, made once", async () => {
    const path = join(directory, "identity.json");
    const { did } = await ensureIdentity(path);
    const file = JSON.parse(await readFile(path, "utf8"));
    const pub = Buffer.from(file.public_key, "base64");
    expect([pub.length, Buffer.from(file.private_key, "base64").length]).toEqual([32, 32]);
    expect(did).toBe(didOf(pub));
    expect(did).toMatch(/^did:macula:[\w-]{22}$/);
    expect(await ensureIdentity(path)).toEqual({ did });
  });

  it("is never replaced when it does not fit together", async () => {
    const path = join(directory, "identity.json");
    const file = JSON.parse(await readFile(path, "utf8"));
    const other = join(directory, "other.json");
    await ensureIdentity(other);
    const stranger = JSON.parse(await readFile(other, "utf8"));
    for (const bad of [
      "{",
      JSON.stringify({ ...file, did: "did:macula:AAAA" }),
      JSON.stringify({ ...file, private_key: stranger.private_key }),
    ]) {
      await writeFile(other, bad);
      const error = await ensureIdentity(other).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "needs-human" });
      expect(String(error)).not.toContain(file.private_key);
      expect(await readFile(other, "utf8")).toBe(bad);
    }
  });
});

describe("the QR codes", () => {
  /** Reads half blocks back: light is 255. */
  function decode(text: string): string {
    const lines = text.split("\n").map((line) => [...line]);
    const width = lines[0]?.length ?? 0;
    const scale = 4;
    const [w, h] = [width * scale, lines.length * 2 * scale];
    const data = new Uint8Array(w * h * 4).fill(255);
    for (let y = 0; y < h; y += 1) {
      for (let x = 0; x < w; x += 1) {
        const row = Math.floor(y / scale);
        const sign = lines[Math.floor(row / 2)]?.[Math.floor(x / scale)] ?? " ";
        const light = sign === "█" || sign === (row % 2 === 0 ? "▀" : "▄");
        data.fill(light ? 255 : 0, (y * w + x) * 4, (y * w + x) * 4 + 3);
      }
    }
    return decodeQR({ width: w, height: h, data });
  }

  it("lead to the page; the one on the screen brings the code along", () => {
    const url = "http://macula-a1b2c3.local";
    expect(decode(qrText(`${url}/#ABC-234`))).toBe(`${url}/#ABC-234`);
    const text = consoleText({ url: `${url}:8080`, address: "192.168.1.5", code: "ABC234", minutes: 30 });
    expect(text).toContain("http://192.168.1.5:8080\n");
    expect(text).toContain("ABC-234");
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(80);
    expect(qrSvg(url)).toMatch(/^<svg [^>]*viewBox/);
  });
});

describe("who may ask", () => {
  const card = { address: "2001:db8:1:2::5", cidr: "2001:db8:1:2::5/64", family: "IPv6" as const };
  const cards = { eth0: [{ ...card, netmask: "", mac: "", internal: false, scopeid: 0 }] };

  it.each([
    ["192.168.1.9", true],
    ["::ffff:10.1.2.3", true],
    ["fe80::1%eth0", true],
    ["127.0.0.1", true],
    ["2001:db8:1:2::99", true],
    ["2001:db8:1:3::99", false],
    ["8.8.8.8", false],
    ["::ffff:8.8.8.8", false],
    ["172.32.0.1", false],
    ["nonsense", false],
  ])("%s near: %s", (peer, near) => expect(isNear(peer, cards)).toBe(near));

  it.each([
    ["macula-1.local", true],
    ["MACULA-1:8080", true],
    ["192.168.1.5", true],
    ["[fe80::1]:80", true],
    ["evil.example", false],
    ["macula-1.local.evil.example", false],
    ["192.168.1.5.evil.example", false],
    ["", false],
    [undefined, false],
  ])("name %s: %s", (host, own) => expect(isOwnHost(host, "macula-1")).toBe(own));
});

describe("the command line", () => {
  it("takes one hyphen or two", () => {
    const { port, force, portal, timeout } = readOptions([
      "-port",
      "8080",
      "--force",
      "-portal=https://p.example/x/",
    ]);
    expect([port, force, portal.href, timeout]).toEqual([8080, true, "https://p.example/x/", 1_800_000]);
    expect(readOptions(["--timeout", "30min", "-no-reboot"])).toMatchObject({
      timeout: 1_800_000,
      reboot: false,
    });
  });

  it.each([
    ["-port", "x"],
    ["-port", "70000"],
    ["-portal", "http://p.example"],
    ["-timeout", "soon"],
    ["-what"],
    ["-state-dir", "x"],
  ])("refuses %s %s", (...argv) =>
    expect(() => readOptions(argv.filter((word) => word !== undefined))).toThrowError(),
  );
});
