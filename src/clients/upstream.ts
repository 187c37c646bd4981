/**
 * A stream on another server, to be played or published: connects, follows redirects, keeps the
 * deadlines. One object is one attempt; trying again, and at which server, is its owner's business.
 *
 *     const upstream = openUpstream("rtmp://origin/live/s", { role: "play" }, handler, clock);
 *     ... handler.accepted(), handler.media(message), ..., handler.ended({ reason, text })
 *
 * @module
 */

import type { Clock } from "../live/clock.ts";
import { connectTcp } from "../net/connect.ts";
import { ErrorCode, RtmpError } from "../rtmp/error.ts";
import { STREAM_ID } from "../rtmp/message.ts";
import { FlvClient, type FlvClientOptions } from "./flv_client.ts";
import { MAX_REDIRECTS, TICK_MS } from "./limits.ts";
import { CONNECT_TIMEOUT_MS } from "./limits.ts";
import { RtmpClient } from "./rtmp_client.ts";
import { NOT_NAMED, type RedirectRule } from "./redirect_rule.ts";
import type { RtmpClientOptions } from "./rtmp_dialogue.ts";
import { parseTarget, redirectedTarget, type RtmpTarget } from "./target.ts";
import type { UpstreamEnd, UpstreamHandler } from "./upstream_handler.ts";

/** How to go about it. */
export interface UpstreamOptions extends RtmpClientOptions {
  /** ms for the TCP connection. */
  readonly connectTimeoutMs?: number;
  /** Where a redirect may lead; default: anywhere. */
  readonly mayRedirect?: RedirectRule;
  /** Certificates (PEM) to trust with rtmps, instead of the usual ones. */
  readonly ca?: string;
}

/** What the owner of an upstream may do, whatever the protocol. */
export interface Upstream {
  /** Bytes received, of RTMP or FLV. */
  readonly recvBytes: number;
  /** The message stream of RTMP that the server has given us. */
  readonly streamId: number;
  /** See `RtmpClient.publish`. */
  publish(type: number, timestamp: number, payload: Uint8Array): boolean;
  /** See `RtmpClient.publishChunks`. */
  publishChunks(bytes: Uint8Array): boolean;
  pauseReading(): void;
  resumeReading(): void;
  /** Ends it; `ended` is called with reason `closed` before this returns. */
  close(): void;
}

/**
 * Opens a stream by its URL: `rtmp://`, `rtmps://`, or `http://` and `https://` for HTTP-FLV.
 * @throws {RtmpError} when the URL is of no use.
 */
export function openUpstream(
  url: string,
  options: UpstreamOptions,
  handler: UpstreamHandler,
  clock: Clock,
): Upstream {
  if (/^https?:/i.test(url)) {
    if (options.role === "publish") {
      throw new RtmpError(ErrorCode.TCURL, "HTTP-FLV cannot be published: use rtmp://");
    }
    if (!URL.canParse(url)) throw new RtmpError(ErrorCode.TCURL, `"${url}" is no address`);
    return openFlv(new URL(url), options, handler, clock);
  }
  return openRtmp(parseTarget(url), options, handler, clock);
}

/** Opens a stream of an RTMP server. */
export function openRtmp(
  target: RtmpTarget,
  options: UpstreamOptions,
  handler: UpstreamHandler,
  clock: Clock,
): Upstream {
  return new RtmpUpstream(target, options, handler, clock);
}

/** Opens a stream by HTTP-FLV. */
export function openFlv(
  url: URL,
  options: FlvClientOptions,
  handler: UpstreamHandler,
  clock: Clock,
): Upstream {
  return new FlvUpstream(url, options, handler, clock);
}

/** An RTMP upstream over all its redirects. */
class RtmpUpstream implements Upstream {
  #client: RtmpClient | null = null;
  #cancelConnect: () => void = () => {};
  readonly #cancelTick: () => void;
  #redirects = 0;
  #ended = false;

  constructor(
    target: RtmpTarget,
    readonly options: UpstreamOptions,
    readonly handler: UpstreamHandler,
    readonly clock: Clock,
  ) {
    this.#cancelTick = everyTick(clock, (now) => this.#client?.tick(now));
    this.#connect(target);
  }

  get recvBytes(): number {
    return this.#client?.recvBytes ?? 0;
  }

  get streamId(): number {
    return this.#client?.streamId ?? STREAM_ID;
  }

  publish(type: number, timestamp: number, payload: Uint8Array): boolean {
    return this.#client?.publish(type, timestamp, payload) ?? true;
  }

  publishChunks(bytes: Uint8Array): boolean {
    return this.#client?.publishChunks(bytes) ?? true;
  }

  pauseReading(): void {
    this.#client?.pauseReading();
  }

  resumeReading(): void {
    this.#client?.resumeReading();
  }

  close(): void {
    if (this.#client) this.#client.close();
    this.#end({ reason: "closed", text: "closed by us", redirect: null, error: null });
  }

  #connect(target: RtmpTarget): void {
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS, ca } = this.options;
    const how = {
      timeoutMs: connectTimeoutMs,
      tls: target.schema === "rtmps",
      ...(ca === undefined ? {} : { ca }),
    };
    this.#cancelConnect = connectTcp(target, how, (socket) => {
      const onEnd = (end: UpstreamEnd) => this.#onEnd(target, end);
      const client = new RtmpClient(socket, target, this.options, this.handler, this.clock, onEnd);
      this.#client = client;
      client.start();
      return client;
    }, ({ message }) => {
      this.#end({ reason: "unreachable", text: message, redirect: null, error: null });
    });
  }

  #onEnd(target: RtmpTarget, end: UpstreamEnd): void {
    if (end.reason !== "redirect" || end.redirect === null || this.#ended) return this.#end(end);
    if (++this.#redirects > MAX_REDIRECTS) {
      return this.#end({
        ...end,
        text: `${end.text}: more than ${MAX_REDIRECTS} redirects in a row`,
      });
    }
    let next: RtmpTarget;
    try {
      next = redirectedTarget(target, end.redirect);
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
      return this.#end({ ...end, reason: "protocol", text: `${end.text}: ${error.message}` });
    }
    const { mayRedirect } = this.options;
    if (mayRedirect && !mayRedirect(next.host) && next.host !== this.#client?.remoteAddress) {
      return this.#end({ ...end, text: `${end.text}, ${NOT_NAMED}` });
    }
    this.#client = null;
    this.handler.redirected(end.redirect);
    if (!this.#ended) this.#connect(next);
  }

  #end(end: UpstreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelConnect();
    this.#cancelTick();
    this.handler.ended(end);
  }
}

/** An HTTP-FLV upstream. */
class FlvUpstream implements Upstream {
  readonly streamId = STREAM_ID;
  readonly #client: FlvClient;
  readonly #cancelTick: () => void;

  constructor(url: URL, options: FlvClientOptions, handler: UpstreamHandler, clock: Clock) {
    this.#client = new FlvClient(url, options, handler, clock, (end) => {
      this.#cancelTick();
      handler.ended(end);
    });
    this.#cancelTick = everyTick(clock, (now) => this.#client.tick(now));
    this.#client.start();
  }

  get recvBytes(): number {
    return this.#client.recvBytes;
  }

  publish(): boolean {
    return true;
  }

  publishChunks(): boolean {
    return true;
  }

  pauseReading(): void {
    this.#client.pauseReading();
  }

  resumeReading(): void {
    this.#client.resumeReading();
  }

  close(): void {
    this.#client.close();
  }
}

/** Calls `work` with the clock's ms several times a second; the result ends it. */
function everyTick(clock: Clock, work: (nowMs: number) => void): () => void {
  let over = false;
  let cancel: () => void = () => {};
  const next = () => {
    cancel = clock.after(TICK_MS, () => {
      work(clock.now());
      if (!over) next();
    });
  };
  next();
  return () => {
    over = true;
    cancel();
  };
}
