/**
 * A headless Chromium with one page, driven by the DevTools protocol.
 * @module
 */
import assert from "node:assert/strict";
import { Child, until, within } from "./process.ts";
import type { Scenario } from "./scenario.ts";

/** How it is called; Debian's. */
export const CHROMIUM = "/usr/bin/chromium";

/** Quiet, without a screen, and without anything of its own on the network. */
const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--mute-audio",
  "--lang=en-US",
  "--remote-debugging-port=0",
];

/** ms until it is there, and for each of its answers. */
const START_LIMIT_MS = 30_000;
const ANSWER_LIMIT_MS = 15_000;

/** An answer or an event. */
interface Packet {
  readonly id?: number;
  readonly method?: string;
  // deno-lint-ignore no-explicit-any -- each method has its own form, which the callers know
  readonly params?: any;
  // deno-lint-ignore no-explicit-any -- the same
  readonly result?: any;
  readonly error?: { readonly message: string };
}

/** The one page of a browser. */
export class Browser {
  /** Addresses that the page has asked for. */
  readonly requests: string[] = [];
  /** What went wrong in the page: exceptions, errors on the console, refused resources. */
  readonly errors: string[] = [];
  /** Answers to the server's question for a password; null: the dialog is closed. */
  credentials: { readonly username: string; readonly password: string } | null = null;
  readonly #process: Child;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (packet: Packet) => void>();
  #id = 0;

  private constructor(process: Child, socket: WebSocket) {
    this.#process = process;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(String(data)));
  }

  /** Starts one of this size, pixels. */
  static async open(s: Scenario, width = 1280, height = 900): Promise<Browser> {
    const folder = `${s.folder}/chromium-${crypto.randomUUID()}`;
    const process = s.spawn("Chromium", [
      CHROMIUM,
      ...FLAGS,
      `--user-data-dir=${folder}`,
      `--window-size=${width},${height}`,
      "about:blank",
    ]);
    const origin = await until("Chromium", START_LIMIT_MS, () => {
      if (process.exit !== null) throw new Error("Chromium ended while it started");
      return /DevTools listening on ws:\/\/([^/]+)\//.exec(process.stderr)?.[1];
    });
    const target = await until("a page", START_LIMIT_MS, async () => {
      const targets = await (await fetch(`http://${origin}/json`)).json();
      return targets.find((each: { type: string }) => each.type === "page");
    });
    const socket = new WebSocket(target.webSocketDebuggerUrl);
    await within("the page's socket", START_LIMIT_MS, new Promise((open) => socket.onopen = open));
    const browser = new Browser(process, socket);
    for (const domain of ["Page", "Runtime", "Network", "Log"]) {
      await browser.send(`${domain}.enable`);
    }
    await browser.send("Fetch.enable", { handleAuthRequests: true });
    return browser;
  }

  /** Calls a method of the protocol. */
  // deno-lint-ignore no-explicit-any -- each method has its own form
  async send(method: string, params: Record<string, unknown> = {}): Promise<any> {
    const id = ++this.#id;
    const answered = new Promise<Packet>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await within(method, ANSWER_LIMIT_MS, answered);
    assert.equal(error, undefined, `${method}: ${error?.message}`);
    return result;
  }

  /** Opens an address, and waits until the document is there. */
  async open(url: string): Promise<void> {
    await this.send("Page.navigate", { url });
    await this.until("location.protocol !== 'about:' && document.readyState === 'complete'");
  }

  /** The value of an expression in the page, as if the user had caused it. */
  // deno-lint-ignore no-explicit-any -- whatever the expression gives
  async value(expression: string): Promise<any> {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      returnByValue: true,
      awaitPromise: true,
      userGesture: true,
    });
    if (exceptionDetails) {
      throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
    }
    return result.value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string, limitMs = 20_000): Promise<void> {
    await until(`in the page: ${expression}`, limitMs, async () => {
      return Boolean(await this.value(`Boolean(${expression})`));
    });
  }

  /** Clicks with the mouse in the middle of the element that an expression gives, once it is there. */
  async click(element: string): Promise<void> {
    await this.until(element);
    const middle = await this.value(`(() => {
      const element = ${element};
      element.scrollIntoView({ behavior: "instant", block: "center" });
      const { x, y, width, height } = element.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    for (const type of ["mousePressed", "mouseReleased"]) {
      const event = { type, button: "left", clickCount: 1 };
      await this.send("Input.dispatchMouseEvent", { ...event, ...middle });
    }
  }

  /** Ends it in an orderly way, so that it leaves its folder alone. */
  async close(): Promise<void> {
    this.#socket.send(JSON.stringify({ id: ++this.#id, method: "Browser.close" }));
    await this.#process.finish(ANSWER_LIMIT_MS);
  }

  #receive({ id, method, params, result, error }: Packet): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.({ result, ...error && { error } });
      this.#waiting.delete(id);
      return;
    }
    switch (method) {
      case "Network.requestWillBeSent":
        return void this.requests.push(params.request.url);
      case "Runtime.exceptionThrown":
        return void this.errors.push(JSON.stringify(params.exceptionDetails));
      case "Runtime.consoleAPICalled":
        if (["error", "warning", "assert"].includes(params.type)) {
          this.errors.push(JSON.stringify(params.args));
        }
        return;
      case "Log.entryAdded":
        if (params.entry.level === "error") this.errors.push(JSON.stringify(params.entry));
        return;
      case "Fetch.requestPaused":
        return this.#reply("Fetch.continueRequest", params.requestId, {});
      case "Fetch.authRequired": {
        const response = this.credentials ? "ProvideCredentials" : "CancelAuth";
        const authChallengeResponse = { response, ...this.credentials };
        return this.#reply("Fetch.continueWithAuth", params.requestId, { authChallengeResponse });
      }
    }
  }

  #reply(method: string, requestId: string, params: Record<string, unknown>): void {
    const id = ++this.#id;
    this.#socket.send(JSON.stringify({ id, method, params: { requestId, ...params } }));
  }
}
