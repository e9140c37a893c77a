import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
export const chromium = PLACES.find((path) => existsSync(path));

const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  "--remote-debugging-port=0",
];

type Parameters = Readonly<Record<string, unknown>>;

/** One page of a real browser, spoken to in the DevTools protocol: no driver is needed for that. */
export class BrowserPage implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  /** Everything the page complained about. */
  readonly complaints: string[] = [];
  #last = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(String(data));
      if (message.method === "Runtime.exceptionThrown" || message.method === "Log.entryAdded")
        this.complaints.push(JSON.stringify(message.params));
      const waiting = this.#waiting.get(message.id);
      if (message.error) waiting?.reject(new Error(JSON.stringify(message.error)));
      else waiting?.resolve(message.result);
      this.#waiting.delete(message.id);
    });
    socket.addEventListener("close", () => this.#gone());
  }

  /** A browser that is gone answers nothing any more. */
  #gone(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error("the browser is gone"));
    this.#waiting.clear();
  }

  static async open(path: string): Promise<BrowserPage> {
    const profile = await mkdtemp(join(tmpdir(), "chromium-"));
    const process = spawn(path, [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], { stdio: "ignore" });
    const port = await until(async () => {
      const text = await readFile(join(profile, "DevToolsActivePort"), "utf8").catch(() => "");
      return text.split("\n")[0] || null;
    });
    const url = await until(async () => {
      const targets: unknown = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
      const list = targets as { type: string; webSocketDebuggerUrl: string }[];
      return list.find((target) => target.type === "page")?.webSocketDebuggerUrl ?? null;
    });
    const socket = new WebSocket(url);
    await new Promise((ready, failed) => {
      socket.addEventListener("open", ready, { once: true });
      socket.addEventListener("error", failed, { once: true });
    });
    const page = new BrowserPage(process, profile, socket);
    for (const domain of ["Runtime", "Page", "Log"]) await page.send(`${domain}.enable`);
    return page;
  }

  send(method: string, params: Parameters = {}): Promise<Record<string, unknown>> {
    this.#last += 1;
    const answer = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(this.#last, answer);
    this.#socket.send(JSON.stringify({ id: this.#last, method, params }));
    return answer.promise;
  }

  async go(url: string): Promise<void> {
    await this.send("Page.navigate", { url: "about:blank" });
    await this.send("Page.navigate", { url });
    await this.until(`location.href !== "about:blank" && document.readyState === "complete"`);
  }

  /** An expression's value in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    return (answer.result as { value?: unknown }).value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> {
    await until(async () => ((await this.evaluate(expression)) === true ? true : null), expression);
  }

  /** As the keyboard does it, into whatever has the focus. */
  type(text: string): Promise<unknown> {
    return this.send("Input.insertText", { text });
  }

  async press(key: "Enter" | "Tab"): Promise<void> {
    const code = key === "Enter" ? 13 : 9;
    const common = { key, code: key, windowsVirtualKeyCode: code };
    await this.send("Input.dispatchKeyEvent", {
      type: "keyDown",
      ...common,
      ...(key === "Enter" ? { text: "\r" } : {}),
    });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Buffer.from(String(data), "base64");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.send("Browser.close").catch(() => undefined);
    const patience = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(patience);
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function until<T>(look: () => Promise<T | null>, what = "the browser"): Promise<T> {
  for (let i = 0; i < 400; i += 1) {
    const found = await look().catch(() => null);
    if (found !== null) return found;
    await sleep(50);
  }
  throw new Error(`waited too long for ${what}`);
}
