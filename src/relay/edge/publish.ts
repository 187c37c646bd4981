/**
 * Publishing on an edge: each publisher has a connection of its own to the origin,
 * which decides whether it may, and gets what it sends, unchanged.
 * @module
 */

import type { Clock } from "../../live/clock.ts";
import type { Log } from "../../log/log.ts";
import { type Answer, ErrorCode } from "../../rtmp/error.ts";
import { PUBLISH_ANSWER_MS } from "./limits.ts";
import type { OriginTour } from "./origins.ts";
import type { Upstream } from "../../clients/upstream.ts";
import {
  type EndReason,
  type UpstreamEnd,
  UpstreamListener,
} from "../../clients/upstream_handler.ts";
import type { UpstreamHandler, UpstreamPeer } from "../../clients/upstream_handler.ts";

/** The publisher's side of an uplink. */
export interface UplinkOwner {
  /** What was given to `publish` is through. */
  uplinkWritable(): void;
  /** The origin has gone, or takes nothing. */
  uplinkLost(text: string): void;
}

/** An attempt at an origin. */
export interface UplinkAttempt extends Pick<Upstream, "publish" | "close"> {
  readonly name: string;
}

/** What an uplink needs around it. */
export interface UplinkHost {
  readonly clock: Clock;
  open(tour: OriginTour, handler: UpstreamHandler): UplinkAttempt;
  isSelf(peer: UpstreamPeer): boolean;
  /** It has ended. */
  over(): void;
}

/** Ends of an attempt after which the next origin is asked; any other is an answer. */
export const NOT_THERE: ReadonlySet<EndReason> = new Set([
  "unreachable",
  "timeout",
  "lost",
  "protocol",
  "fault",
]);

/** The way up for one publisher. */
export class Uplink extends UpstreamListener {
  /** Is set as soon as the origin has accepted. */
  owner: UplinkOwner | null = null;

  readonly #what: string;
  readonly #tour: OriginTour;
  readonly #host: UplinkHost;
  readonly #log: Log;
  readonly #startedAt: number;
  #answer: Answer | null;
  #attempt: UplinkAttempt | null = null;
  /** The origin has let us in, and knows nothing of the stream yet. */
  #connected = false;
  #isLoop = false;
  #over = false;
  readonly #cancelLimit: () => void;

  /** Begins, at once. `what`: the stream, for people. */
  constructor(what: string, tour: OriginTour, host: UplinkHost, log: Log, answer: Answer) {
    super();
    this.#what = what;
    this.#tour = tour;
    this.#host = host;
    this.#log = log;
    this.#answer = answer;
    this.#startedAt = host.clock.now();
    this.#cancelLimit = host.clock.after(PUBLISH_ANSWER_MS, () => {
      this.#refuse(`the origin has not answered within ${PUBLISH_ANSWER_MS} ms`, false);
      this.close();
    });
    this.#connect();
  }

  /** Publishes a message as it is. False: `writable` will say when it is through. */
  publish(type: number, timestamp: number, payload: Uint8Array): boolean {
    return this.#attempt?.publish(type, timestamp, payload) ?? true;
  }

  /** Ends it. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelLimit();
    const attempt = this.#attempt;
    this.#attempt = null;
    attempt?.close();
    this.#host.over();
  }

  // ---- from the origin

  override opened(peer: UpstreamPeer | null): void {
    if (!peer || !this.#host.isSelf(peer)) return;
    this.#isLoop = true;
    this.#attempt?.close();
  }

  override connected(): void {
    this.#connected = true;
  }

  override accepted(): void {
    const answer = this.#answer;
    if (!answer) return;
    this.#answer = null;
    this.#cancelLimit();
    this.#tour.worked();
    const ms = Math.round(this.#host.clock.now() - this.#startedAt);
    this.#log.info(
      `edge publish ${this.#what}: origin ${this.#attempt?.name} accepts after ${ms} ms`,
    );
    if (!answer(null)) this.close();
  }

  override writable(): void {
    this.owner?.uplinkWritable();
  }

  override ended(end: UpstreamEnd): void {
    if (this.#over || !this.#attempt) return;
    this.#attempt = null;
    const text = this.#isLoop ? "loop: the origin is this very server; correct `origin`" : end.text;
    if (!this.#answer) {
      this.close();
      this.#log.warn(`edge publish ${this.#what} ended (${end.reason}): ${text}`);
      this.owner?.uplinkLost(text);
    } else if (!this.#isLoop && !this.#isRefusal(end) && this.#tour.advance()) {
      this.#log.warn(`edge publish ${this.#what}: ${text}; the next origin is asked`);
      this.#connect();
    } else {
      this.#refuse(text, !this.#isLoop && this.#isRefusal(end));
      this.close();
    }
  }

  /** SRS closes without a word when the stream is busy. */
  #isRefusal({ reason }: UpstreamEnd): boolean {
    return !NOT_THERE.has(reason) || (reason === "lost" && this.#connected);
  }

  #connect(): void {
    this.#connected = false;
    this.#attempt = this.#host.open(this.#tour, this);
  }

  #refuse(text: string, byOrigin: boolean): void {
    const answer = this.#answer;
    this.#answer = null;
    if (!answer) return;
    // Its address is nothing that a client is to learn (H50).
    this.#log.warn(`edge publish ${this.#what} refused: ${text}`);
    answer(
      byOrigin
        ? { code: ErrorCode.STREAM_BUSY, reason: "the origin does not take the stream" }
        : { code: ErrorCode.ORIGIN, reason: "no origin can be reached" },
    );
  }
}
