import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { statePaths } from "../../src/firstboot/files.ts";
import { inventorySchema } from "../../src/inventory/schema.ts";
import { ask, fakePortal, HOST_KEY, PORTAL_CODE, pair, startWizard, TOKEN } from "./support.ts";

const other = (code: string) => (code.startsWith("A") ? "B" : "A") + code.slice(1);

describe("the wizard", () => {
  it("pairs: asks the portal, keeps what it gave, marks the machine, restarts", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    const { port, code, directory } = wizard;
    const answer = await pair(port, { portal_code: PORTAL_CODE, node_code: code.toLowerCase() });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ success: true, org_name: "Ghent <b>Commons</b>" });
    expect(await wizard.ending).toBe("paired");
    expect(wizard.reboots).toHaveLength(1);
    expect(portal.asked).toEqual([
      {
        method: "POST",
        path: "/api/console/pair",
        body: { pairing_code: PORTAL_CODE, node_code: code.replace("-", ""), hostname: "macula-a1b2c3" },
      },
    ]);

    const paths = statePaths(directory);
    expect(JSON.parse(await readFile(paths.credentials, "utf8"))).toEqual({
      user_name: "Ada",
      org_identity: "Ghent <b>Commons</b>",
      refresh_token: TOKEN,
    });
    const mode = async (path: string) => (await stat(path)).mode & 0o777;
    expect(await mode(paths.credentials)).toBe(0o600);
    expect(await mode(join(directory, "credentials"))).toBe(0o700);
    expect(await mode(paths.identity)).toBe(0o600);
    expect(await readFile(paths.marker, "utf8")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/);

    const { did } = JSON.parse(await readFile(paths.identity, "utf8"));
    const hosts = parse(await readFile(paths.proposal, "utf8"));
    expect(hosts["macula-a1b2c3"]).toMatchObject({
      address: "192.168.1.50",
      identity: { did, hostKeys: [HOST_KEY] },
    });
    const fleet = { name: "home", realm: "io.macula.home", flake: "./flake" };
    const inventory = { apiVersion: "macula.io/v1", kind: "FleetInventory", fleet, hosts };
    expect(inventorySchema.safeParse(inventory).error?.issues).toBeUndefined();
  });

  it("tells its secrets to nobody: not the page, the status, the QR code or the journal", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    const { port, code } = wizard;
    const bare = code.replace("-", "");
    const seen: string[] = [];
    for (const path of ["/", "/status", "/qr.svg", "/static/page.js", "/static/page.css", "/nothing"]) {
      const { text, headers } = await ask(port, path);
      seen.push(text, JSON.stringify(headers));
    }
    seen.push((await pair(port, { portal_code: PORTAL_CODE, node_code: other(code) })).text);
    expect(JSON.parse((await ask(port, "/status")).text)).toEqual({
      configured: false,
      hostname: "macula-a1b2c3",
      state: "waiting",
      tries_left: 9,
    });
    const paired = await pair(port, { portal_code: PORTAL_CODE, node_code: code });
    expect(paired.status).toBe(200);
    seen.push(paired.text);
    await wizard.ending;
    const everything = [...seen, ...wizard.logs].join("\n");
    for (const secret of [code, bare, TOKEN]) expect(everything).not.toContain(secret);
    expect(wizard.logs.join("\n")).not.toContain(PORTAL_CODE);
    expect(wizard.screen).toContain(code);
  });

  it("locks after ten wrong codes, also for the right one, and asks the portal nothing", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    const { port, code } = wizard;
    const statuses: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      statuses.push((await pair(port, { portal_code: PORTAL_CODE, node_code: other(code) })).status);
    }
    expect(statuses).toEqual([...Array(9).fill(403), 423]);
    expect((await pair(port, { portal_code: PORTAL_CODE, node_code: code })).status).toBe(423);
    expect(portal.asked).toEqual([]);
    expect((await ask(port, "/")).text).toContain("Locked");
  });

  it("counts what the portal refuses, not what it cannot answer", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    const { port, code } = wizard;
    const tries = async () => JSON.parse((await ask(port, "/status")).text).tries_left;
    const refused = await pair(port, { portal_code: "WRONG-1", node_code: code });
    expect([refused.status, await tries()]).toEqual([400, 9]);
    expect(refused.text).toContain("no such code");
    for (const answer of [
      { status: 503, body: "" },
      { status: 200, body: "<html>" },
      { status: 200, body: "x".repeat(70_000) },
      { status: 200, body: '{"user_name":"Ada"}' },
    ]) {
      portal.answer = () => answer;
      expect((await pair(port, { portal_code: PORTAL_CODE, node_code: code })).status).toBe(502);
    }
    expect(await tries()).toBe(9);
    await portal[Symbol.asyncDispose]();
    expect((await pair(port, { portal_code: PORTAL_CODE, node_code: code })).status).toBe(502);
    await expect(stat(statePaths(wizard.directory).marker)).rejects.toThrow("ENOENT");
  });

  it("needs both codes, and takes nonsense for what it is without counting it", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    const { port, code } = wizard;
    for (const body of [
      {},
      { portal_code: PORTAL_CODE },
      { node_code: code },
      { portal_code: PORTAL_CODE, node_code: "ABC-10O" },
      { portal_code: "a\nb", node_code: code },
      { portal_code: 7, node_code: code },
    ]) {
      expect((await pair(port, body)).status).toBe(400);
    }
    const headers = { "content-type": "application/json" };
    const broken = await ask(port, "/pair", { method: "POST", headers, body: "{" });
    expect(broken.status).toBe(400);
    const long = await pair(port, { portal_code: "x".repeat(5000), node_code: code });
    expect(long.status).toBe(413);
    expect(JSON.parse((await ask(port, "/status")).text).tries_left).toBe(10);
    expect(portal.asked).toEqual([]);
  });

  it("is not paired by pages from elsewhere", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    const { port, code } = wizard;
    const body = { portal_code: PORTAL_CODE, node_code: code };
    const form = `portal_code=${PORTAL_CODE}&node_code=${code}`;
    const formType = { "content-type": "application/x-www-form-urlencoded" };
    expect((await pair(port, body, { origin: "http://evil.example" })).status).toBe(403);
    expect((await pair(port, body, { origin: "null" })).status).toBe(403);
    expect((await pair(port, body, { "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await pair(port, body, { host: "evil.example" })).status).toBe(421);
    expect((await pair(port, body, { "content-type": "text/plain" })).status).toBe(415);
    const noToken = await ask(port, "/pair", { method: "POST", headers: formType, body: form });
    expect(noToken.status).toBe(403);
    expect(portal.asked).toEqual([]);
    expect((await pair(port, body, { host: "macula-a1b2c3.local" })).status).toBe(200);
  });

  it("pairs without scripts too, and shows whatever the portal says as text", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    const { port, code } = wizard;
    const token = /name="token" value="([^"]+)"/.exec((await ask(port, "/")).text)?.[1];
    const post = (portalCode: string) =>
      ask(port, "/pair", {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", origin: `http://127.0.0.1:${port}` },
        body: `token=${token}&portal_code=${portalCode}&node_code=${code}`,
      });
    portal.answer = () => ({ status: 400, body: '{"error":"<script>alert(1)</script>"}' });
    const refused = await post("WRONG-1");
    expect(refused.text).toContain("&lt;script&gt;alert(1)");
    expect(refused.text).not.toContain("<script>alert");
    portal.answer = null;
    const paired = await post(PORTAL_CODE);
    expect(paired.status).toBe(200);
    expect(paired.text).toContain("Ghent &lt;b&gt;Commons");
    expect(paired.text).toContain("did:macula:");
  });

  it("does not run on a machine that is paired, unless forced; keeps its identity", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    await pair(wizard.port, { portal_code: PORTAL_CODE, node_code: wizard.code });
    await wizard.ending;
    const identity = await readFile(statePaths(wizard.directory).identity, "utf8");
    await expect(startWizard(portal.url, "-state-dir", wizard.directory)).rejects.toThrow("already-paired");
    await using again = await startWizard(portal.url, "-state-dir", wizard.directory, "-force");
    expect(again.code).not.toBe(wizard.code);
    expect(await readFile(statePaths(wizard.directory).identity, "utf8")).toBe(identity);
  });

  it("is not paired when it cannot keep what the portal gave; the journal says why, without the token", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    await writeFile(join(wizard.directory, "credentials"), "in the way");
    const answer = await pair(wizard.port, { portal_code: PORTAL_CODE, node_code: wizard.code });
    expect(answer.status).toBe(500);
    expect(JSON.parse((await ask(wizard.port, "/status")).text).configured).toBe(false);
    await expect(stat(statePaths(wizard.directory).marker)).rejects.toThrow("ENOENT");
    expect(wizard.logs.join("\n")).toContain("credentials");
    expect(wizard.logs.join("\n") + answer.text).not.toContain(TOKEN);
  });

  it("finishes a pairing that is under way when its time is over", async () => {
    await using portal = await fakePortal();
    const over = Promise.withResolvers<void>();
    await using wizard = await startWizard(portal.url, "-timeout", "3s");
    portal.answer = async () => {
      await over.promise;
      const body = { user_name: "Ada", org_identity: "Late", refresh_token: TOKEN };
      return { status: 200, body: JSON.stringify(body) };
    };
    const answer = pair(wizard.port, { portal_code: PORTAL_CODE, node_code: wizard.code });
    setTimeout(over.resolve, 3300);
    expect((await answer).status).toBe(200);
    expect(await wizard.ending).toBe("paired");
    expect(wizard.reboots).toHaveLength(1);
  });

  it("stops offering itself after its time", async () => {
    await using wizard = await startWizard("https://portal.example", "-timeout", "20ms");
    expect(await wizard.ending).toBe("timeout");
    expect(wizard.reboots).toEqual([]);
    await expect(ask(wizard.port, "/")).rejects.toThrow("ECONNREFUSED");
  });
});
