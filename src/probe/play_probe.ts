/**
 * Plays a stream, and keeps when what came.
 * @module
 */

import type { Clock } from "../live/clock.ts";
import { UpstreamListener } from "../clients/upstream_handler.ts";
import type { UpstreamEnd } from "../clients/upstream_handler.ts";
import type { Message } from "../rtmp/message.ts";
import type { Stamp } from "./stamp.ts";
import { StreamMeter } from "./stream_meter.ts";

/** The owner of an upstream that is being measured. Moments are clock ms; null: not yet. */
export class PlayProbe extends UpstreamListener {
  readonly meter: StreamMeter;
  readonly startedAt: number;
  openedAt: number | null = null;
  connectedAt: number | null = null;
  acceptedAt: number | null = null;
  /** Addresses that we were sent on to. */
  readonly redirects: string[] = [];
  end: UpstreamEnd | null = null;
  readonly #clock: Clock;
  readonly #onEnd: () => void;

  /**
   * @param wallClock ms since 1970 UTC, with fractions.
   * @param onEnd Is called when the stream has ended.
   */
  constructor(
    clock: Clock,
    wallClock: () => number,
    onEnd: () => void,
    onStamp?: (stamp: Stamp, delayMs: number) => void,
  ) {
    super();
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.startedAt = clock.now();
    this.meter = new StreamMeter(wallClock, onStamp);
  }

  override opened(): void {
    this.openedAt ??= this.#clock.now();
  }

  override connected(): void {
    this.connectedAt ??= this.#clock.now();
  }

  override accepted(): void {
    this.acceptedAt ??= this.#clock.now();
  }

  override metadata(): void {
    this.meter.metadataAt ??= this.#clock.now();
  }

  override media(message: Message): void {
    this.meter.add(message, this.#clock.now());
  }

  override redirected(url: string): void {
    this.redirects.push(url);
  }

  override ended(end: UpstreamEnd): void {
    this.end = end;
    this.#onEnd();
  }
}
