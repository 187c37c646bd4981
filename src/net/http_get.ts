/**
 * An HTTP GET whose body never ends, by the runtime's `fetch`. The body comes as fast as it is taken:
 * while it is paused the server has to wait.
 * @module
 */

import { runClock } from "./run_clock.ts";
import { ConnectError, connectError } from "./connect.ts";
import { noPlace, takeOutgoing } from "./outgoing.ts";

/** What a GET tells its owner. `onEnd` is the last call. */
export interface HttpGetHandler {
  /** The head has come. `location` is that of a redirect, empty without one. */
  onResponse(status: number, location: string): void;
  /** Bytes of the body, without any transfer coding; only lent for the time of the call. */
  onBytes(bytes: Uint8Array): void;
  /** It is over; `error` when it broke, or, a `ConnectError`, when there was no answer at all. */
  onEnd(error: Error | null): void;
}

/** How to ask. */
export interface HttpGetOptions {
  /** ms until the head of the answer must have come. */
  readonly timeoutMs: number;
  readonly userAgent: string;
  /** More header fields. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A GET under way. It follows no redirects. */
export class HttpGet {
  readonly #handler: HttpGetHandler;
  readonly #abort = new AbortController();
  #over = false;
  /** Called when reading may go on; null: it is not paused. */
  #resume: (() => void) | null = null;
  #resumed = Promise.resolve();

  /** @param url `http:` or `https:`. */
  constructor(url: URL, options: HttpGetOptions, handler: HttpGetHandler) {
    this.#handler = handler;
    void this.#run(url, options);
  }

  /** Leaves what comes in the kernel. */
  pause(): void {
    if (this.#resume) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resumed = promise;
    this.#resume = resolve;
  }

  /** Takes it again. */
  resume(): void {
    this.#resume?.();
    this.#resume = null;
  }

  /** Ends it without another call to the handler. */
  abort(): void {
    this.#over = true;
    this.resume();
    this.#abort.abort();
  }

  async #run(url: URL, options: HttpGetOptions): Promise<void> {
    let error: Error | null = null;
    const giveBack = takeOutgoing();
    try {
      // Not within the constructor: the caller has no handler ready yet.
      await Promise.resolve();
      if (!giveBack) throw new ConnectError("other", noPlace(url.host));
      const response = await this.#fetch(url, options);
      if (!this.#over) {
        this.#handler.onResponse(response.status, response.headers.get("location") ?? "");
      }
      await this.#read(response.body);
    } catch (thrown) {
      error = thrown instanceof Error ? thrown : new Error(String(thrown));
    } finally {
      giveBack?.();
    }
    if (this.#over) return;
    this.abort();
    this.#handler.onEnd(error);
  }

  async #fetch(url: URL, { timeoutMs, userAgent, headers }: HttpGetOptions): Promise<Response> {
    const to = {
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port || (url.protocol === "https:" ? 443 : 80)),
    };
    let late = false;
    const cancel = runClock.after(timeoutMs, () => {
      late = true;
      this.#abort.abort();
    });
    try {
      return await fetch(url, {
        redirect: "manual",
        signal: this.#abort.signal,
        headers: { "User-Agent": userAgent, "Accept-Encoding": "identity", ...headers },
      });
    } catch (error) {
      if (late) {
        throw new ConnectError("timeout", `no answer from ${url.host} within ${timeoutMs} ms`);
      }
      throw error instanceof Error ? connectError(to, error) : error;
    } finally {
      cancel();
    }
  }

  async #read(body: ReadableStream<Uint8Array> | null): Promise<void> {
    const reader = body?.getReader();
    while (reader && !this.#over) {
      await this.#resumed;
      const { done, value } = await reader.read();
      if (done) return;
      if (!this.#over) this.#handler.onBytes(value);
    }
  }
}
