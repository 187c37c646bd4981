/**
 * An edge's pull of one stream: while a client plays it here, it comes from
 * an origin, whatever becomes of the connection or of the origin.
 *
 *     claiming -> connecting -> waiting -> live
 *        |             ^           |         |
 *     elsewhere        +-- pausing +---------+
 *
 * The pull is the stream's publisher while it is `live`. With several workers it holds the stream's name
 * all the time, so that one worker pulls, and the others, `elsewhere`, have the stream from that one.
 * Driven by calls and a clock alone.
 * @module
 */

import { MAX_IDLE_DOUBLINGS } from "./limits.ts";
import type { Clock } from "../../live/clock.ts";
import type { LiveStream, Publisher } from "../../live/stream/live_stream.ts";
import type { Log } from "../../log/log.ts";
import { peerText } from "../../log/text.ts";
import { formatAddress } from "../../net/tcp.ts";
import { RtmpError } from "../../rtmp/error.ts";
import { MAX_HOPS } from "../../rtmp/limits.ts";
import type { Message } from "../../rtmp/message.ts";
import { MessageType } from "../../rtmp/message.ts";
import { IDLE_LINGER_MS, LINGER_MS, RECLAIM_MS } from "./limits.ts";
import { MEDIA_TIMEOUT_MS } from "../../clients/limits.ts";
import type { OriginTour } from "./origins.ts";
import { Retry } from "../../clients/retry.ts";
import {
  type EndReason,
  type UpstreamEnd,
  UpstreamListener,
} from "../../clients/upstream_handler.ts";
import type { UpstreamHandler, UpstreamPeer } from "../../clients/upstream_handler.ts";

/** Where a pull stands. */
export type PullState =
  | "claiming"
  | "connecting"
  /** Connected; the stream has no publisher at the origin. */
  | "waiting"
  | "live"
  | "pausing"
  | "elsewhere"
  | "over";

/** An attempt at an origin. */
export interface PullAttempt {
  /** Where it goes, for people; no query in it. */
  readonly name: string;
  /** Bytes that it has brought. */
  readonly recvBytes: number;
  close(): void;
}

/** What a pull needs around it. */
export interface PullHost {
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Asks an origin for the stream; `hops`: servers behind us. */
  open(tour: OriginTour, hops: readonly string[], handler: UpstreamHandler): PullAttempt;
  /** The stream is elsewhere. */
  redirected(url: string): void;
  /** Asks whether this thread may pull. `answer` returns false when it comes too late. */
  claim(answer: (granted: boolean) => boolean): void;
  /** Whether a connection leads to this very server. */
  isSelf(peer: UpstreamPeer): boolean;
  /** The stream has media from now on, or no more. */
  published(): void;
  unpublished(): void;
  /** The pull has ended for good. */
  over(): void;
}

/** What is shown of a pull. */
export interface PullView {
  readonly state: PullState;
  /** The origin that it has, or tries; null: another worker pulls. */
  readonly origin: string | null;
  /** ms for which it has been in that state. */
  readonly sinceMs: number;
  /** Attempts after the first one. */
  readonly retries: number;
  /** Why the last attempt ended; null: none has. */
  readonly lastError: string | null;
}

/** Ends after which the same origin is not asked first again: it may be there, and of no use. */
const DEAD: ReadonlySet<EndReason> = new Set(["silent", "timeout", "stalled", "protocol"]);

/** The pull of one stream. */
export class EdgePull extends UpstreamListener implements Publisher {
  /** `Publisher`: no peer's, so that no client is taken for it. */
  readonly address = "origin";
  readonly timeCorrected = true;
  readonly stream: LiveStream;
  /** Ids of the servers that the origin has been told of (H34). */
  hops: readonly string[];

  readonly #host: PullHost;
  readonly #tour: OriginTour;
  readonly #log: Log;
  readonly #retry: Retry;
  #state: PullState = "claiming";
  #stateSince: number;
  #attempt: PullAttempt | null = null;
  #attemptAt = 0;
  #mediaAt = 0;
  /** Clock ms at which the present connection had its first media; null: it had none. */
  #firstMediaAt: number | null = null;
  #claimedAt = 0;
  #wantedAt: number;
  /** The data message that comes next is metadata. */
  #isMetadata = false;
  #wasLive = false;
  /** Bytes of the present connection that are counted. */
  #counted = 0;
  #isLoop = false;

  /** Begins, at once. `waits`: the client plays only when it is live, and asks again until then. */
  constructor(
    stream: LiveStream,
    tour: OriginTour,
    host: PullHost,
    log: Log,
    hops: readonly string[],
    waits = true,
  ) {
    super();
    // One more, ours, and the origin would have to refuse.
    this.hops = hops.slice(0, MAX_HOPS - 1);
    this.#wantedAt = waits ? host.clock.now() : -Infinity;
    this.stream = stream;
    this.#host = host;
    this.#tour = tour;
    this.#log = log;
    const { clock, random } = host;
    this.#retry = new Retry({ clock, random, log, again: () => this.#connect() });
    this.#stateSince = host.clock.now();
    stream.reserve();
    this.#claim();
  }

  /** Attempts after the first one. */
  get retries(): number {
    return this.#retry.count;
  }

  get state(): PullState {
    return this.#state;
  }

  /** `Publisher`: it is never taken for a stalled one. */
  get lastBytesAt(): number {
    return this.#host.clock.now();
  }

  get view(): PullView {
    return {
      state: this.#state,
      origin: this.#attempt?.name ?? null,
      sinceMs: this.#host.clock.now() - this.#stateSince,
      retries: this.#retry.count,
      lastError: this.#retry.lastError,
    };
  }

  /** Once a second; clock ms. */
  tick(nowMs: number): void {
    if (this.#state === "over") return;
    if (this.#state === "elsewhere") return this.#tickElsewhere(nowMs);
    const { playerlessSince } = this.stream;
    const since = Math.max(playerlessSince ?? nowMs, this.#wantedAt);
    const linger = this.#wasLive ? LINGER_MS : IDLE_LINGER_MS;
    if (playerlessSince !== null && nowMs - since >= linger) {
      return this.stop(`nobody has played it for ${linger / 1000} s`);
    }
    this.#checkMedia(nowMs);
  }

  /** A client is about to play; `waits`: when it is live. */
  wantedBy(hops: readonly string[], waits = true): void {
    if (waits) this.#wantedAt = this.#host.clock.now();
    const all = [...new Set([...this.hops, ...hops])];
    // Any viewer can say any ids: they must neither fill the list nor restart the pull for ever.
    if (all.length === this.hops.length || all.length >= MAX_HOPS) return;
    this.hops = all;
    this.#restart();
  }

  /** A player has left: one of a stream that has never been live takes the pull along (H40). */
  left(): void {
    const { playerlessSince, localPlayers } = this.stream;
    const empty = this.#state === "elsewhere" ? localPlayers === 0 : playerlessSince !== null;
    const waited = this.#host.clock.now() - this.#wantedAt < IDLE_LINGER_MS;
    if (empty && !waited && !this.#wasLive && !this.stream.active) this.stop("its player has gone");
  }

  /** Asks again, unless media flow: the origin has not been told of all servers behind us (H34). */
  #restart(): void {
    if (!this.#attempt || this.#state === "live") return;
    this.#drop();
    this.#connect();
  }

  /** Ends it. */
  stop(why: string): void {
    if (this.#state === "over") return;
    const pulled = this.#state !== "elsewhere" && this.#state !== "claiming";
    this.#drop();
    this.#enter("over");
    if (pulled) this.#log.info(`edge pull ${this.#name} ends: ${why}`);
    this.stream.release();
    this.stream.unreserve();
    this.#host.over();
  }

  /** The origin answers, and has nothing (S7): it is asked no more where there is another one. */
  #checkMedia(nowMs: number): void {
    if (this.#state !== "waiting" && this.#state !== "live") return;
    const doublings = Math.min(this.#retry.failures, MAX_IDLE_DOUBLINGS);
    const limit = this.#tour.hasOthers ? MEDIA_TIMEOUT_MS * 2 ** doublings : MEDIA_TIMEOUT_MS;
    if (nowMs - this.#mediaAt < limit) return;
    const text = `${this.#attempt?.name}: no media for ${limit} ms`;
    if (this.#tour.hasOthers) {
      this.#drop(true);
      this.#failed({ reason: "silent", text, redirect: null, error: null });
    } else if (this.#state === "live") {
      this.#log.info(`edge pull ${this.#name}: ${text}; the connection is kept`);
      this.#unpublish(true);
    }
  }

  // ---- `Publisher`

  hasAudience(): void {}

  catchUp(): void {}

  replaced(): void {
    this.stop("the stream is published by somebody else");
  }

  // ---- from the upstream

  override opened(peer: UpstreamPeer | null): void {
    if (!peer || !this.#host.isSelf(peer)) return;
    this.#isLoop = true;
    this.#attempt?.close();
  }

  override accepted(): void {
    const now = this.#host.clock.now();
    this.#mediaAt = now;
    this.#enter("waiting");
    this.#retry.accepted();
    this.#log.info(
      `edge pull ${this.#name}: connected to origin ${this.#attempt?.name} after ` +
        `${Math.round(now - this.#attemptAt)} ms`,
    );
  }

  override metadata(): void {
    this.#isMetadata = true;
  }

  override media(message: Message): void {
    const { type, timestamp, payload } = message;
    const isMedia = type === MessageType.AUDIO || type === MessageType.VIDEO;
    // Other data, such as |RtmpSampleAccess, come for streams without a publisher too: they are passed
    // on, but do not make a stream live.
    const counts = isMedia ? payload.length > 0 : this.#isMetadata || this.#state === "live";
    this.#isMetadata = false;
    if (!counts) return;
    this.#mediaAt = this.#host.clock.now();
    if (this.#state !== "live" && !this.#goLive()) return;
    if (isMedia) this.stream.media(type, timestamp, payload);
    else this.#data(message);
  }

  override settled(): void {
    const bytes = this.#attempt?.recvBytes ?? 0;
    this.stream.pulledBytes += bytes - this.#counted;
    this.#counted = bytes;
    if (this.#state === "live") this.stream.readDone();
  }

  override unpublished(): void {
    this.#log.info(`edge pull ${this.#name}: the origin says that the stream has ended`);
    this.#unpublish(true);
    this.#mediaAt = this.#host.clock.now();
    this.#enter("waiting");
  }

  override redirected(url: string): void {
    this.#host.redirected(url);
    this.#log.info(`edge pull ${this.#name}: redirected to ${peerText(url)}`);
  }

  override ended(end: UpstreamEnd): void {
    if (!this.#attempt) return;
    this.#unpublish();
    // An HTTP server says no more than that there is nothing any more.
    if (end.reason === "not-found" && this.#retry.count > 0 && !this.stream.active) {
      this.stream.noteEnd();
    }
    if (end.error !== null) this.#log.error(`edge pull ${this.#name}`, undefined, end.error);
    if (this.#isLoop) {
      const text =
        `${this.#attempt.name}: loop: the origin is this very server; correct \`origin\``;
      this.#failed({ ...end, reason: "refused", text });
    } else {
      this.#failed(end);
    }
  }

  // ---- inside

  get #name(): string {
    return peerText(this.stream.key);
  }

  #enter(state: PullState): void {
    this.#state = state;
    this.#stateSince = this.#host.clock.now();
  }

  #claim(): void {
    this.#claimedAt = this.#host.clock.now();
    this.#enter("claiming");
    this.#host.claim((granted) => {
      if (this.#state !== "claiming") return false;
      if (granted) {
        this.stream.hold();
        this.#connect();
      } else {
        this.#enter("elsewhere");
      }
      return true;
    });
  }

  /** Another worker pulls for us, as long as it does. */
  #tickElsewhere(nowMs: number): void {
    if (this.stream.localPlayers === 0 && nowMs - this.#wantedAt >= IDLE_LINGER_MS) {
      return this.stop("");
    }
    if (!this.stream.active && nowMs - this.#claimedAt >= RECLAIM_MS) this.#claim();
  }

  #connect(): void {
    this.#enter("connecting");
    this.#attemptAt = this.#host.clock.now();
    this.#firstMediaAt = null;
    this.#counted = 0;
    this.#isLoop = false;
    try {
      this.#attempt = this.#host.open(this.#tour, this.hops, this);
    } catch (error) {
      // No caller could do better: it may be a timer.
      this.#log.error(`edge pull ${this.#name}`, undefined, error);
      this.#failed({ reason: "fault", text: "internal fault", redirect: null, error });
    }
  }

  #goLive(): boolean {
    if (!this.stream.publish(this)) {
      this.stop("the stream is published by somebody else");
      return false;
    }
    this.#firstMediaAt ??= this.#mediaAt;
    this.#wasLive = true;
    this.#tour.worked();
    this.#enter("live");
    this.#log.info(
      `edge pull ${this.#name}: live, first media ${
        Math.round(this.#mediaAt - this.#attemptAt)
      } ms ` +
        `after asking ${this.#attempt?.name}`,
    );
    this.#host.published();
    return true;
  }

  /** The players stay. `ended`: they are to be told. */
  #unpublish(ended = false): void {
    if (this.#state !== "live") return;
    this.#enter("waiting");
    this.stream.unpublish(this, ended);
    this.#host.unpublished();
  }

  /** Ends the present connection without a word about it. `ended`: see `#unpublish`. */
  #drop(ended = false): void {
    this.#retry.cancel();
    this.#unpublish(ended);
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.close();
  }

  /** The attempt is over: what is next, and when. */
  #failed(end: UpstreamEnd): void {
    this.#attempt = null;
    const workedMs = this.#firstMediaAt === null ? 0 : this.#host.clock.now() - this.#firstMediaAt;
    this.#enter("pausing");
    this.#retry.failed({
      line: (why) => `edge pull ${this.#name} ended (${end.reason}): ${why}`,
      why: end.text,
      same: `${end.reason} ${end.text}`,
      workedMs,
      isLoop: this.#isLoop,
      stable: () => {
        this.#tour.newRound();
        if (DEAD.has(end.reason)) this.#tour.advance();
      },
      another: () => this.#tour.advance(),
      where: () => {
        const { host, port } = this.#tour.origin;
        return `, at ${port === null ? host : formatAddress({ host, port })}`;
      },
    });
  }

  /** Metadata that cannot be decoded is no reason to end a stream whose media are fine (Q37). */
  #data(message: Message): void {
    try {
      this.stream.data(message.type, message.timestamp, message.payload);
    } catch (error) {
      if (!(error instanceof RtmpError)) throw error;
      this.#log.warn(`edge pull ${this.#name}: data message left out: ${peerText(error.message)}`);
    }
  }
}
