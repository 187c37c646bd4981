/**
 * One destination of `forward`: a cursor into the stream's log, as a player has, and a
 * connection that publishes what comes. A slow or dead destination costs nothing but its own copy.
 *
 *     connecting -> sending
 *         ^            |
 *         +- pausing --+
 *
 * @module
 */

import { maskedDestination } from "../../config/directives/upstreams.ts";
import type { Clock } from "../../live/clock.ts";
import type { LiveStream } from "../../live/stream/live_stream.ts";
import type { PlayerSink } from "../../live/play/player.ts";
import { SinkFollower } from "./sink_follower.ts";
import type { Log } from "../../log/log.ts";
import { peerText } from "../../log/text.ts";
import {
  copyWirePayload,
  wireLength,
  wireSize,
  wireTimestamp,
  wireType,
} from "../../rtmp/chunk_writer.ts";
import { STREAM_ID } from "../../rtmp/message.ts";
import { Retry } from "../../clients/retry.ts";
import type { Upstream } from "../../clients/upstream.ts";
import { type UpstreamEnd, UpstreamListener } from "../../clients/upstream_handler.ts";
import type { UpstreamHandler, UpstreamPeer } from "../../clients/upstream_handler.ts";

/** Where a forward stands. */
export type ForwardState = "connecting" | "sending" | "pausing" | "over";

/** A connection to a destination. */
export interface ForwardAttempt extends Pick<Upstream, "publish" | "publishChunks" | "close"> {
  /** The message stream that the destination has given us. */
  readonly streamId: number;
}

/** What a forward needs around it. */
export interface ForwardHost {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Opens the connection; our chunks have `chunkSize` bytes. */
  open(chunkSize: number, handler: UpstreamHandler): ForwardAttempt;
  /** Whether a connection leads to this very server. */
  isSelf(peer: UpstreamPeer): boolean;
  /** A text in which the destination's secret may stand, without it. */
  hide(text: string): string;
}

/** What is shown of a forward. */
export interface ForwardView {
  /** Without its secret. */
  readonly destination: string;
  readonly state: ForwardState;
  /** ms for which it has been in that state. */
  readonly sinceMs: number;
  /** ms that it is behind the stream. */
  readonly lagMs: number;
  /** Messages that it has not had, because it was slow or not there. */
  readonly droppedMessages: number;
  readonly sentBytes: number;
  /** Attempts after the first one. */
  readonly retries: number;
  /** Why the last attempt ended; null: none has. */
  readonly lastError: string | null;
}

/** The copy of one stream to one destination, while the stream is published. */
export class Forwarder extends UpstreamListener implements PlayerSink {
  /** The destination without its secret. */
  readonly name: string;

  readonly #stream: LiveStream;
  readonly #host: ForwardHost;
  readonly #log: Log;
  readonly #retry: Retry;
  #follower: SinkFollower;
  #state: ForwardState = "connecting";
  #stateSince: number;
  #attempt: ForwardAttempt | null = null;
  #attemptAt = 0;
  #sendingSince: number | null = null;
  #isLoop = false;
  /** Messages lost and bytes sent by cursors of earlier connections. */
  #dropped = 0;
  #sent = 0;
  #payload = new Uint8Array(0);

  /** Begins, at once; the stream's publisher has just come. */
  constructor(stream: LiveStream, name: string, host: ForwardHost, log: Log) {
    super();
    this.name = name;
    this.#stream = stream;
    this.#host = host;
    this.#log = log;
    const { clock, random } = host;
    this.#retry = new Retry({ clock, random, log, again: () => this.#connect() });
    this.#stateSince = host.clock.now();
    this.#follower = this.#follow();
    this.#connect();
  }

  /** Attempts after the first one. */
  get retries(): number {
    return this.#retry.count;
  }

  get state(): ForwardState {
    return this.#state;
  }

  get view(): ForwardView {
    return {
      destination: this.name,
      state: this.#state,
      sinceMs: this.#host.clock.now() - this.#stateSince,
      lagMs: this.#state === "sending" ? this.#follower.lagMs : 0,
      droppedMessages: this.#dropped + this.#follower.droppedMessages,
      sentBytes: this.#sent,
      retries: this.retries,
      lastError: this.#retry.lastError,
    };
  }

  /** The publisher has gone, or the server stops. */
  stop(): void {
    if (this.#state === "over") return;
    this.#enter("over");
    this.#retry.cancel();
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.close();
    this.#unfollow();
    this.#log.info(`forward ${this.#what} ends: the stream is not published any more`);
  }

  // ---- from the stream

  /** `PlayerSink`: chunks of the stream's log. Before the destination takes them there are none. */
  send(bytes: Uint8Array): boolean {
    const attempt = this.#attempt;
    if (this.#state !== "sending" || !attempt) return true;
    this.#sent += bytes.length;
    if (attempt.streamId === STREAM_ID) return attempt.publishChunks(bytes);
    return this.#rewrite(attempt, bytes);
  }

  // ---- from the destination

  override opened(peer: UpstreamPeer | null): void {
    if (!peer || !this.#host.isSelf(peer)) return;
    this.#isLoop = true;
    this.#attempt?.close();
  }

  override accepted(): void {
    const now = this.#host.clock.now();
    this.#sendingSince = now;
    this.#enter("sending");
    this.#retry.accepted();
    this.#log.info(
      `forward ${this.#what}: publishing after ${Math.round(now - this.#attemptAt)} ms`,
    );
    this.#follower.startOver(this.retries > 0);
  }

  override writable(): void {
    if (this.#state === "sending") this.#follower.writable();
  }

  override redirected(url: string): void {
    this.#log.info(`forward ${this.#what}: redirected to ${peerText(maskedDestination(url))}`);
  }

  override ended(end: UpstreamEnd): void {
    if (!this.#attempt) return;
    if (end.error !== null) this.#log.error(`forward ${this.#what}`, undefined, end.error);
    const text = this.#isLoop
      ? "loop: the destination is this very server; correct `destination`"
      : end.text;
    this.#failed(`${end.reason}: ${text}`);
  }

  // ---- inside

  get #what(): string {
    return `${peerText(this.#stream.key)} to ${this.name}`;
  }

  #enter(state: ForwardState): void {
    this.#state = state;
    this.#stateSince = this.#host.clock.now();
  }

  #follow(): SinkFollower {
    const follower = new SinkFollower(this.#stream, this);
    this.#stream.follow(follower);
    return follower;
  }

  #unfollow(): void {
    this.#follower.close();
    this.#stream.unfollow(this.#follower);
  }

  #connect(): void {
    this.#enter("connecting");
    this.#attemptAt = this.#host.clock.now();
    this.#sendingSince = null;
    this.#isLoop = false;
    try {
      this.#attempt = this.#host.open(this.#stream.vhost.chunkSize, this);
    } catch (error) {
      // No caller could do better: it may be a timer.
      this.#log.error(`forward ${this.#what}`, undefined, error);
      this.#failed("internal fault");
    }
  }

  #failed(text: string): void {
    const { clock } = this.#host;
    this.#attempt = null;
    this.#enter("pausing");
    // What was on its way is lost; the next connection begins with a keyframe.
    this.#dropped += this.#follower.droppedMessages;
    this.#unfollow();
    this.#follower = this.#follow();
    const workedMs = this.#sendingSince === null ? 0 : clock.now() - this.#sendingSince;
    this.#retry.failed({
      line: (why) => `forward ${this.#what} ended (${why})`,
      why: this.#host.hide(text),
      same: text,
      workedMs,
      isLoop: this.#isLoop,
    });
  }

  /** The destination wants another message stream than the one in our chunks: they are made again. */
  #rewrite(attempt: ForwardAttempt, bytes: Uint8Array): boolean {
    const { chunkSize } = this.#stream.vhost;
    let through = true;
    for (let at = 0; at < bytes.length;) {
      const wire = bytes.subarray(at);
      const length = wireLength(wire);
      const time = wireTimestamp(wire);
      if (this.#payload.length < length) this.#payload = new Uint8Array(2 * length);
      copyWirePayload(wire, chunkSize, this.#payload, 0);
      through = attempt.publish(wireType(wire), time, this.#payload.subarray(0, length));
      at += wireSize(length, time, chunkSize);
    }
    return through;
  }
}
