/**
 * One player of HLS, as the API, hooks and limits know it: it has no connection of its own, and is over when
 * it has asked for nothing for a while.
 * @module
 */

import type { Grant } from "../../access/grant.ts";
import type { HlsStream } from "../../hls/hls_stream.ts";
import type { Clock } from "../../live/clock.ts";
import type { Log } from "../../log/log.ts";
import { peerText } from "../../log/text.ts";
import { ErrorCode } from "../../rtmp/error.ts";
import type { ClientRole, Session } from "../../stats/session.ts";
import { SESSION_MS } from "./limits.ts";

/** What a session needs of the server around it, and tells it. */
export interface HlsSessionHost {
  readonly clock: Clock;
  opened(session: Session, role: ClientRole): void;
  left(session: Session): void;
  finished(session: Session): void;
}

/** What its first request said. */
export interface HlsRequest {
  readonly socket: { readonly remote: string; readonly remoteAddress: string };
  readonly tcUrl: string;
  readonly pageUrl: string;
  /** The stream's name with its ending. */
  readonly name: string;
  /** The query. */
  readonly param: string;
  readonly grant: Grant;
}

/** See above. */
export class HlsSession implements Session {
  readonly id: string;
  readonly log: Log;
  readonly socket: { readonly remote: string; readonly remoteAddress: string };
  readonly acceptedAt: number;
  readonly recvBytes = 0;
  readonly info: { readonly tcUrl: string; readonly pageUrl: string; readonly swfUrl: string };
  readonly stream: HlsStream;
  /** Bytes of playlists and files that it has been sent. */
  sentBytes = 0;
  failed = false;
  readonly #host: HlsSessionHost;
  readonly #grant: Grant;
  readonly #over: (isKicked: boolean) => void;
  #seenAt: number;
  #summarised: { at: number; sent: number };
  #isOver = false;

  /** Begins to play. `over` is called once, when it is over. */
  constructor(
    host: HlsSessionHost,
    stream: HlsStream,
    request: HlsRequest,
    log: Log,
    over: (isKicked: boolean) => void,
  ) {
    this.#host = host;
    this.stream = stream;
    this.#grant = request.grant;
    this.#over = over;
    this.id = log.id;
    this.log = log;
    this.socket = request.socket;
    this.info = { tcUrl: request.tcUrl, pageUrl: request.pageUrl, swfUrl: "" };
    this.acceptedAt = this.#seenAt = host.clock.now();
    this.#summarised = { at: this.acceptedAt, sent: 0 };
    const { live } = stream;
    log.info(`HTTP client ip=${request.socket.remote}, hls`);
    log.info(
      `client identified, type=hls-play, vhost=${live.vhost.name}, app=${peerText(live.app)}, ` +
        `stream=${peerText(request.name)}, param=${peerText(request.param)}`,
    );
    log.info(`start play ${peerText(live.key)}`);
    stream.count(1);
    request.grant.begin();
    host.opened(this, { type: "hls-play", publish: false, stream: live, name: request.name });
  }

  get summarisedAt(): number {
    return this.#summarised.at;
  }

  /** It has asked for something, and gets so many bytes. */
  asked(bytes: number): void {
    this.#seenAt = this.#host.clock.now();
    this.sentBytes += bytes;
  }

  /** Once a second; clock ms. */
  tick(nowMs: number): void {
    if (nowMs - this.#seenAt >= SESSION_MS) {
      this.#end(`the player has asked for nothing for ${SESSION_MS} ms`, 0);
    }
  }

  summary(nowMs: number): string {
    const { at, sent } = this.#summarised;
    this.#summarised = { at: nowMs, sent: this.sentBytes };
    if (this.#isOver) return "";
    const alive = nowMs - this.acceptedAt;
    const okbps = [this.sentBytes * 8 / alive, (this.sentBytes - sent) * 8 / (nowMs - at)];
    return `-> PLA ${peerText(this.stream.live.key)} hls, time=${Math.round(alive)}ms, ` +
      `okbps=${okbps.map(Math.round).join()}`;
  }

  shutdown(reason = "the server stops"): void {
    this.#end(reason, ErrorCode.SERVER_STOP);
  }

  kick(): void {
    this.log.warn(`client kicked. ret=${ErrorCode.KICKED}`, ErrorCode.KICKED);
    this.failed = true;
    this.#leave(true);
  }

  abort(): void {
    this.#leave(false);
  }

  #end(reason: string, code: number): void {
    if (this.#isOver) return;
    this.log.info(`server disconnect: ${reason}. ret=${code}`);
    this.failed = code !== 0;
    this.#leave(false);
  }

  #leave(isKicked: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.stream.count(-1);
    this.#host.left(this);
    this.#grant.end();
    this.log.info("client finished.");
    this.#over(isKicked);
    this.#host.finished(this);
  }
}
