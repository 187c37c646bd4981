/**
 * Pulling a stream over HTTP-FLV: `GET http://host/app/stream.flv`, redirects
 * followed, then FLV tags for ever.
 * @module
 */

import { LOCATION_MAX } from "./limits.ts";
import { FlvTagReader } from "../flv/flv_tag.ts";
import type { Clock } from "../live/clock.ts";
import { peerText } from "../log/text.ts";
import { ConnectError } from "../net/connect.ts";
import { HttpGet, type HttpGetHandler } from "../net/http_get.ts";
import { RtmpError } from "../rtmp/error.ts";
import { HOPS_HEADER } from "../rtmp/hops.ts";
import { type Message, MessageType } from "../rtmp/message.ts";
import { SERVER_NAME, VERSION } from "../runtime/version.ts";
import { metadataOf } from "./data_message.ts";
import { MAX_REDIRECTS } from "./limits.ts";
import { ANSWER_TIMEOUT_MS, MEDIA_TIMEOUT_MS } from "./limits.ts";
import { isStreamRedirect, NOT_NAMED, type RedirectRule } from "./redirect_rule.ts";
import type { EndReason, UpstreamEnd, UpstreamHandler } from "./upstream_handler.ts";

/** How an HTTP-FLV stream is pulled. */
export interface FlvClientOptions {
  /** ms for the answer's head. */
  readonly answerTimeoutMs?: number;
  /** ms without media; 0: any silence will do (S7). */
  readonly mediaTimeoutMs?: number;
  /** Servers that the request has come through (H34). */
  readonly hops?: string;
  /** Where a redirect may lead; default: anywhere. */
  readonly mayRedirect?: RedirectRule;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Tag types are the message types of the same number; others are not passed on. */
const MEDIA_TYPES: ReadonlySet<number> = new Set([
  MessageType.AUDIO,
  MessageType.VIDEO,
  MessageType.DATA_AMF0,
]);

/** One pull. */
export class FlvClient implements HttpGetHandler {
  /** Bytes of FLV. */
  recvBytes = 0;
  /** Where the stream really is; after a redirect the next attempt may go there at once (S11). */
  url: URL;
  readonly #options: FlvClientOptions;
  readonly #handler: UpstreamHandler;
  readonly #onEnd: (end: UpstreamEnd) => void;
  readonly #clock: Clock;
  readonly #reader = new FlvTagReader();
  readonly #message: Message = {
    type: 0,
    timestamp: 0,
    streamId: 0,
    payload: new Uint8Array(0),
  };
  #get: HttpGet | null = null;
  #redirects = 0;
  #running = false;
  #ended = false;
  #mediaAt: number;
  /** We do not read: silence is our own doing then. */
  #paused = false;

  /** @param url `http:` or `https:`. */
  constructor(
    url: URL,
    options: FlvClientOptions,
    handler: UpstreamHandler,
    clock: Clock,
    onEnd: (end: UpstreamEnd) => void = (end) => handler.ended(end),
  ) {
    this.url = url;
    this.#options = options;
    this.#handler = handler;
    this.#onEnd = onEnd;
    this.#clock = clock;
    this.#mediaAt = clock.now();
  }

  /** Begins. */
  start(): void {
    this.#get = new HttpGet(this.url, {
      timeoutMs: this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
      userAgent: `${SERVER_NAME}/${VERSION}`,
      headers: this.#options.hops ? { [HOPS_HEADER]: this.#options.hops } : {},
    }, this);
  }

  /** Makes the server wait. */
  pauseReading(): void {
    this.#paused = true;
    this.#get?.pause();
  }

  /** Lets it go on. */
  resumeReading(): void {
    this.#paused = false;
    this.#mediaAt = this.#clock.now();
    this.#get?.resume();
  }

  /** Ends it. */
  close(): void {
    this.#end("closed", "closed by us");
  }

  /** Looks at the deadline; several times a second. */
  tick(nowMs: number): void {
    const limit = this.#options.mediaTimeoutMs ?? MEDIA_TIMEOUT_MS;
    if (!this.#running || this.#paused || limit === 0 || nowMs - this.#mediaAt < limit) return;
    this.#end("silent", `${this.#where}: nobody publishes it, or nothing comes for ${limit} ms`);
  }

  // ---- from the GET

  onResponse(status: number, location: string): void {
    if (REDIRECTS.has(status)) return this.#redirect(location);
    if (status !== 200) {
      const reason = status === 404 ? "not-found" : "refused";
      const cure = status === 404 ? ": no such stream, or nobody publishes it" : "";
      return this.#end(reason, `${this.#where}: the server answers ${status}${cure}`);
    }
    this.#running = true;
    this.#mediaAt = this.#clock.now();
    this.#handler.opened(null);
    if (!this.#ended) this.#handler.connected();
    if (!this.#ended) this.#handler.accepted();
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#ended || !this.#running) return;
    this.recvBytes += bytes.length;
    try {
      this.#reader.push(bytes);
      for (;;) {
        const tag = this.#ended ? null : this.#reader.next();
        if (tag === null) break;
        if (!MEDIA_TYPES.has(tag.type) || tag.payload.length === 0) continue;
        this.#message.type = tag.type;
        this.#message.timestamp = tag.timestamp & 0x7fffffff;
        this.#message.payload = tag.payload;
        this.#media(this.#message);
      }
      if (!this.#ended) this.#handler.settled();
    } catch (error) {
      if (error instanceof RtmpError) this.#end("protocol", `${this.#where}: ${error.message}`);
      else this.#end("fault", `${this.#where}: internal fault`, null, error);
    }
  }

  onEnd(error: Error | null): void {
    if (error instanceof ConnectError) return this.#end("unreachable", error.message);
    const how = error ? `connection lost: ${error.message}` : "the server ended the stream";
    this.#end("lost", `${this.#where}: ${how}`);
  }

  // ---- inside

  get #where(): string {
    return peerText(`${this.url.host}${this.url.pathname}`);
  }

  #media(message: Message): void {
    this.#mediaAt = this.#clock.now();
    if (message.type === MessageType.DATA_AMF0) {
      const fields = metadataOf(message);
      if (fields) this.#handler.metadata(fields);
    }
    if (!this.#ended) this.#handler.media(message);
  }

  #redirect(location: string): void {
    const to = location.length <= LOCATION_MAX && URL.canParse(location, this.url)
      ? new URL(location, this.url)
      : null;
    if (to === null || (to.protocol !== "http:" && to.protocol !== "https:")) {
      const text = `${this.#where}: redirected to "${
        peerText(location)
      }", which is no HTTP address`;
      return this.#end("protocol", text);
    }
    const rule = this.#options.mayRedirect;
    if (rule && !isStreamRedirect(this.url, to)) {
      const text = `${this.#where}: redirected to "${peerText(to.href)}", which is no stream by ${
        this.url.protocol.slice(0, -1)
      }`;
      return this.#end("redirect", text, to.href);
    }
    if (rule && !rule(to.hostname.replace(/^\[|\]$/g, ""))) {
      const text = `${this.#where}: redirected to "${peerText(to.host)}", ${NOT_NAMED}`;
      return this.#end("redirect", text, to.href);
    }
    if (++this.#redirects > MAX_REDIRECTS) {
      const text = `${this.#where}: more than ${MAX_REDIRECTS} redirects in a row`;
      return this.#end("redirect", text, to.href);
    }
    this.#get?.abort();
    this.url = to;
    this.#handler.redirected(to.href);
    if (!this.#ended) this.start();
  }

  #end(
    reason: EndReason,
    text: string,
    redirect: string | null = null,
    error: unknown = null,
  ): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#running = false;
    this.#get?.abort();
    this.#onEnd({ reason, text, redirect, error });
  }
}
