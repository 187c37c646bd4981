/**
 * One player that comes by HTTP or WebSocket: a container's bytes from a stream to its link.
 * @module
 */

import { KINDS_POLL_MS, OPEN_TIMEOUT_MS, PUBLISHER_WAIT_MS } from "./limits.ts";
import type { VhostConfig } from "../../config/types.ts";
import { Entry } from "../../live/log/broadcast_log.ts";
import type { Clock } from "../../live/clock.ts";
import type { Kinds } from "../../live/ingest/contents.ts";
import { PLAYER_STALL_MS } from "../../live/limits.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import { type Player, type PlayerSink } from "../../live/play/player.ts";
import { type Container, mayFill } from "./containers.ts";
import type { Grant } from "../../access/grant.ts";
import type { Log } from "../../log/log.ts";
import { peerText } from "../../log/text.ts";
import type { WebLink, WebLinkHandler } from "../../net/web_link.ts";
import { ErrorCode } from "../../rtmp/error.ts";

/** What such a player is, for the API. */
export interface FlvRole {
  readonly type: "flv-play";
  readonly publish: false;
  readonly stream: LiveStream;
  /** The stream's name with its extension. */
  readonly name: string;
  readonly player: Player;
}

/** What a session needs of the server around it, and tells it. */
export interface FlvSessionHost {
  readonly clock: Clock;
  /** The session has begun to play. */
  opened(session: FlvSession, role: FlvRole): void;
  /** It plays no more; its connection may still be there. */
  left(session: FlvSession): void;
  /** Its connection is over, or the runtime has everything that is to be sent on it. */
  finished(session: FlvSession): void;
}

/** What the request said. */
export interface FlvRequest {
  /** The peer: `address:port`, and the address alone. */
  readonly socket: { readonly remote: string; readonly remoteAddress: string };
  readonly tcUrl: string;
  /** The Referer. */
  readonly pageUrl: string;
  /** The stream's name with its extension. */
  readonly name: string;
  readonly container: Container;
  /** The query. */
  readonly param: string;
  /** "http" or "ws". */
  readonly transport: string;
  /** From the question whether it may play to its end. */
  readonly grant: Grant;
  /** The client's address behind trusted proxies; empty: it is the peer's. */
  readonly realAddress: string;
}

/** The server's side of one player. */
export class FlvSession implements PlayerSink, WebLinkHandler {
  readonly id: string;
  readonly log: Log;
  readonly info: { readonly tcUrl: string; readonly pageUrl: string; readonly swfUrl: string };
  readonly socket: { readonly remote: string; readonly remoteAddress: string };
  readonly acceptedAt: number;
  readonly recvBytes = 0;
  /** Bytes of the container to the peer. */
  sentBytes = 0;
  /** It ended for any reason but that it was through. */
  failed = false;

  readonly #host: FlvSessionHost;
  readonly #stream: LiveStream;
  readonly #name: string;
  readonly #grant: Grant;
  #link: WebLink | null = null;
  #player: Player | null = null;
  readonly #container: Container;
  /** The container's file header has been sent. */
  #headed: boolean;
  /** What is to be sent behind it, until it is known what to say in it. */
  #held: Uint8Array | null = null;
  #cancelPoll: (() => void) | null = null;
  readonly #cancelOpenTimeout: () => void;
  /** Since when (clock ms) the link has not taken what it was given; null: it has. */
  #stalledSince: number | null = null;
  /** Since when (clock ms) there is no publisher; null: there is one. */
  #abandonedSince: number | null = null;
  #over = false;
  #finished = false;
  #summarised: { at: number; sent: number };

  constructor(host: FlvSessionHost, stream: LiveStream, request: FlvRequest, log: Log) {
    this.#host = host;
    this.#stream = stream;
    this.log = log;
    this.id = log.id;
    this.#name = request.name;
    this.#grant = request.grant;
    this.#container = request.container;
    this.#headed = request.container.fileHeader === null;
    this.info = { tcUrl: request.tcUrl, pageUrl: request.pageUrl, swfUrl: "" };
    this.socket = request.socket;
    this.acceptedAt = host.clock.now();
    this.#summarised = { at: this.acceptedAt, sent: 0 };
    this.#cancelOpenTimeout = host.clock.after(OPEN_TIMEOUT_MS, () => this.onClose());
    const from = request.realAddress ? `, real ip=${request.realAddress}` : "";
    log.info(`HTTP client ip=${request.socket.remote}, ${request.transport}${from}`);
    log.info(
      `client identified, type=flv-play, vhost=${stream.vhost.name}, app=${
        peerText(stream.app)
      }, ` +
        `stream=${peerText(request.name)}, param=${peerText(request.param)}`,
    );
  }

  /** Clock ms of the last summary. */
  get summarisedAt(): number {
    return this.#summarised.at;
  }

  // ---- from the link

  onOpen(link: WebLink): void {
    this.#cancelOpenTimeout();
    if (this.#over) return link.abort();
    this.#link = link;
    const stream = this.#stream;
    this.log.info(`start play ${peerText(stream.key)}`);
    const player = stream.join(this, {
      durationMs: 0,
      multitrack: false,
      without: unwanted(stream.vhost.httpRemux),
      onEnd: () => {},
    }, this.#container.rendering);
    // It may have failed with its first bytes.
    if (this.#over) return stream.leave(player);
    this.#player = player;
    this.#grant.begin();
    this.#host.opened(this, {
      type: "flv-play",
      publish: false,
      stream,
      name: this.#name,
      player,
    });
  }

  onWritable(): void {
    this.#guard(() => {
      this.#stalledSince = null;
      // What is held comes first.
      if (this.#held === null) this.#player?.writable();
    });
  }

  onClose(): void {
    if (!this.#over) {
      this.failed = true;
      const code = ErrorCode.PEER_CLOSED;
      this.log.warn(`client disconnect peer. ret=${code}`, code);
      this.#leave();
    }
    if (this.#finished) return;
    this.#finished = true;
    this.log.info("client finished.");
    this.#host.finished(this);
  }

  // ---- from the stream

  /** `PlayerSink`: an exception here must not reach the publisher whose turn this is. */
  send(bytes: Uint8Array): boolean {
    if (this.#over || !this.#link) return true;
    try {
      if (this.#headed) return this.#pass(this.#link, bytes);
      const kinds = this.#kinds();
      if (kinds) return this.#begin(this.#link, kinds, bytes);
      this.#held = bytes;
      this.#pollSoon();
      return false;
    } catch (error) {
      this.#fault(error);
      return false;
    }
  }

  // ---- from the server

  /** Once a second; clock ms. */
  tick(nowMs: number): void {
    if (this.#over) return;
    if (this.#stalledSince !== null && nowMs - this.#stalledSince >= PLAYER_STALL_MS) {
      const reason = `the player has taken nothing for ${PLAYER_STALL_MS} ms`;
      this.log.warn(`server disconnect: ${reason}. ret=${ErrorCode.TIMEOUT}`, ErrorCode.TIMEOUT);
      return this.#abort();
    }
    if (this.sentBytes === 0 && !mayFill(this.#container, this.#stream.headers)) {
      return this.#close(`the stream has nothing that fits into ${this.#container.ending}`, 0);
    }
    if (this.#stream.active) this.#abandonedSince = null;
    else this.#abandonedSince ??= nowMs;
    if (this.#abandonedSince !== null && nowMs - this.#abandonedSince >= PUBLISHER_WAIT_MS) {
      this.#close(`nobody has published for ${PUBLISHER_WAIT_MS} ms`, 0);
    }
  }

  /** The server stops, or has no use for the connection. */
  shutdown(reason = "the server stops"): void {
    this.#close(reason, ErrorCode.SERVER_STOP);
  }

  /** Drops the connection at once. */
  kick(): void {
    this.log.warn(`client kicked. ret=${ErrorCode.KICKED}`, ErrorCode.KICKED);
    this.#abort();
  }

  /** Cuts the connection off after `shutdown`: the client has not taken its last bytes in time. */
  abort(): void {
    this.#abort();
  }

  /** The line of figures that is logged every `pithy_print_ms`; empty: there is nothing to tell. */
  summary(nowMs: number): string {
    const { at, sent } = this.#summarised;
    this.#summarised = { at: nowMs, sent: this.sentBytes };
    const player = this.#player;
    if (this.#over || !player) return "";
    const alive = nowMs - this.acceptedAt;
    const okbps = [this.sentBytes * 8 / alive, (this.sentBytes - sent) * 8 / (nowMs - at)];
    return `-> PLA ${peerText(this.#stream.key)} flv, lag=${Math.round(player.lagMs)}ms, ` +
      `dropped=${player.droppedMessages}/${player.jumps}, time=${Math.round(alive)}ms, ` +
      `okbps=${okbps.map(Math.round).join()}`;
  }

  // ---- inside

  /** What the file header is to say; null: not known yet. */
  #kinds(): Kinds | null {
    const { guessHasAv, hasAudio, hasVideo } = this.#stream.vhost.httpRemux;
    return guessHasAv ? this.#stream.kinds : { audio: hasAudio, video: hasVideo };
  }

  /** One write, so that the first message of a WebSocket has the beginning of a tag as well. */
  #begin(link: WebLink, kinds: Kinds, bytes: Uint8Array): boolean {
    const header = this.#container.fileHeader?.(kinds) ?? new Uint8Array(0);
    const first = new Uint8Array(header.length + bytes.length);
    first.set(header);
    first.set(bytes, header.length);
    this.#headed = true;
    return this.#pass(link, first);
  }

  #pass(link: WebLink, bytes: Uint8Array): boolean {
    this.sentBytes += bytes.length;
    const through = link.send(bytes);
    if (!through) this.#stalledSince ??= this.#host.clock.now();
    return through;
  }

  #pollSoon(): void {
    this.#cancelPoll = this.#host.clock.after(KINDS_POLL_MS, () => this.#guard(() => this.#poll()));
  }

  #poll(): void {
    this.#cancelPoll = null;
    const held = this.#held;
    if (this.#over || !this.#link || !held) return;
    const kinds = this.#kinds();
    if (!kinds) return this.#pollSoon();
    this.#held = null;
    if (this.#begin(this.#link, kinds, held)) this.#player?.writable();
  }

  /** Leaves the stream, once. */
  #leave(): void {
    this.#over = true;
    this.#cancelOpenTimeout();
    this.#cancelPoll?.();
    this.#held = null;
    if (this.#player) this.#stream.leave(this.#player);
    this.#host.left(this);
    this.#grant.end();
  }

  #close(reason: string, code: number): void {
    if (this.#over) return;
    this.log.info(`server disconnect: ${reason}. ret=${code}`);
    this.failed = code !== 0;
    this.#leave();
    this.#link?.end();
  }

  #abort(): void {
    if (!this.#over) {
      this.failed = true;
      this.#leave();
    }
    this.#link?.abort();
  }

  #fault(error: unknown): void {
    this.log.error("internal fault, connection closed", undefined, error);
    this.#abort();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fault(error);
    }
  }
}

/** `Entry` bits of what the configuration denies the player. */
function unwanted({ guessHasAv, dropIfNotMatch, hasAudio, hasVideo }: VhostConfig["httpRemux"]) {
  if (guessHasAv || !dropIfNotMatch) return 0;
  return (hasAudio ? 0 : Entry.AUDIO) | (hasVideo ? 0 : Entry.VIDEO);
}
