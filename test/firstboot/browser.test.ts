import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BrowserPage, chromium } from "./chromium.ts";
import { fakePortal, PORTAL_CODE, startWizard } from "./support.ts";

/** `MACULA_SCREENSHOTS=DIR` keeps what was seen. */
async function see(page: BrowserPage, name: string): Promise<void> {
  const directory = process.env.MACULA_SCREENSHOTS;
  if (directory === undefined) return;
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, `${name}.png`), await page.screenshot());
}

const view = (width: number, height: number) => ({ width, height, deviceScaleFactor: 1, mobile: false });
const scheme = (value: string) => ({ features: [{ name: "prefers-color-scheme", value }] });
const VALUE = (id: string) => `document.getElementById("${id}").value`;

/** Every text's contrast with the background behind it, as WCAG 2 counts it; the worst below 4.5. */
const CONTRASTS = `(() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const lum = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === undefined || c[3] === 1) return c; } return [255, 255, 255]; };
  const bad = [];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [lum(parse(getComputedStyle(e).color)), lum(behind(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) bad.push(e.tagName + " " + e.textContent.slice(0, 30) + " " + ((a + .05) / (b + .05)).toFixed(2));
  }
  return bad;
})()`;

const NAMELESS = `[...document.querySelectorAll("input:not([type=hidden]), button, img, a")].filter((e) =>
  !(e.labels?.length || e.textContent.trim() || e.alt)).map((e) => e.outerHTML)`;

describe.skipIf(chromium === undefined)("in a browser (needs Chromium)", () => {
  it("pairs with the keyboard alone, tells what was wrong, and ends with what to adopt", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    await using page = await BrowserPage.open(chromium ?? "");
    await page.send("Emulation.setDeviceMetricsOverride", view(1000, 900));
    await page.send("Emulation.setEmulatedMedia", scheme("light"));
    await page.go(`http://127.0.0.1:${wizard.port}/`);
    await page.until(`document.activeElement.id === "node_code"`);
    await see(page, "1-light");
    expect(await page.evaluate(NAMELESS)).toEqual([]);
    expect(await page.evaluate(CONTRASTS)).toEqual([]);

    await page.type(wizard.code.startsWith("A") ? "bbbbbb" : "aaaaaa");
    expect(await page.evaluate(VALUE("node_code"))).toMatch(/^(AAA-AAA|BBB-BBB)$/);
    await page.press("Tab");
    await page.type(PORTAL_CODE);
    await page.press("Enter");
    await page.until(`document.getElementById("problem").textContent.includes("9 tries left")`);
    expect(await page.evaluate("document.activeElement.id")).toBe("node_code");
    expect(await page.evaluate(`document.activeElement.getAttribute("aria-invalid")`)).toBe("true");
    await see(page, "2-wrong");

    await page.send("Emulation.setEmulatedMedia", scheme("dark"));
    expect(await page.evaluate(CONTRASTS)).toEqual([]);
    await page.type(wizard.code.toLowerCase());
    await page.press("Enter");
    await page.until(`document.getElementById("done").checkVisibility()`);
    await see(page, "3-paired-dark");
    const text = String(await page.evaluate("document.body.innerText"));
    expect(text).toContain("Paired with Ghent <b>Commons</b>");
    expect(text).toContain("did:macula:");
    expect(await page.evaluate(CONTRASTS)).toEqual([]);
    for (let i = 0; i < 2; i += 1) await page.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).toBe("copy");
    await page.press("Enter");
    await page.until(`document.getElementById("copy").textContent === "Copied"`);
    expect(await page.evaluate("getSelection().toString()")).toContain("did:macula:");
    await see(page, "5-copied-dark");
    expect(await wizard.ending).toBe("paired");
    // A refused try is logged by the browser as a failed request; nothing else may be.
    expect(page.complaints.filter((line) => !line.includes("403"))).toEqual([]);
  });

  it("fits a phone, takes the code a scan brought along, and loads nothing from elsewhere", async () => {
    await using wizard = await startWizard("https://portal.example");
    await using page = await BrowserPage.open(chromium ?? "");
    await page.send("Emulation.setDeviceMetricsOverride", view(360, 740));
    await page.send("Emulation.setEmulatedMedia", scheme("dark"));
    await page.go(`http://127.0.0.1:${wizard.port}/#${wizard.code}`);
    await page.until(`document.activeElement.id === "portal_code"`);
    expect(await page.evaluate(VALUE("node_code"))).toBe(wizard.code);
    expect(await page.evaluate("location.hash")).toBe("");
    await page.evaluate(`document.querySelector("details").open = true`);
    await page.until(`document.querySelector("figure img").naturalWidth > 0`);
    await see(page, "4-phone-dark");
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    expect(await page.evaluate(CONTRASTS)).toEqual([]);
    const loaded = `performance.getEntriesByType("resource").map((e) => e.name).filter((u) => !u.startsWith(location.origin))`;
    expect(await page.evaluate(loaded)).toEqual([]);
    expect(page.complaints).toEqual([]);
  });

  it("pairs without scripts", async () => {
    await using portal = await fakePortal();
    await using wizard = await startWizard(portal.url);
    await using page = await BrowserPage.open(chromium ?? "");
    await page.send("Emulation.setScriptExecutionDisabled", { value: true });
    await page.go(`http://127.0.0.1:${wizard.port}/`);
    await page.evaluate(`document.getElementById("node_code").focus()`);
    await page.type(wizard.code);
    await page.press("Tab");
    await page.type(PORTAL_CODE);
    await page.press("Enter");
    await page.until(`document.body.innerText.includes("Paired with Ghent")`);
    expect(await wizard.ending).toBe("paired");
  });
});
