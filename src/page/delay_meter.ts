/**
 * How late what is on the screen is, and why.
 *
 *     network   how much later media arrive than the quickest of the last minute
 *     end to end   from the publisher's clock stamp to the screen, where there are stamps
 *
 * @module
 */

import { ROUNDING_MS, STAMP_REACH_MS } from "./limits.ts";

/** Seconds over which the quickest arrival is looked for. */
const WINDOW_S = 60;
/** Share of a new value in the mean of arrivals: about the last second's. */
const SMOOTHING = 0.05;
/** Stamps kept: more than a player ever buffers. */
const STAMPS_MAX = 1024;
/** Pictures that the medians are made of. */
const RECENT_FRAMES = 30;

/** A moment of the media and of the publisher's clock, ms. */
interface Stamp {
  readonly mediaMs: number;
  readonly clockMs: number;
}

/** How late the tags of one kind come: audio and video may lie apart by any time. */
class Arrivals {
  /** By second: the least difference between arrival and timestamp. */
  readonly #least = new Map<number, number>();
  #mean: number | null = null;

  add(timestampMs: number, nowMs: number): void {
    const late = nowMs - timestampMs;
    const second = Math.floor(nowMs / 1000);
    this.#least.set(second, Math.min(late, this.#least.get(second) ?? Infinity));
    for (const old of this.#least.keys()) if (old <= second - WINDOW_S) this.#least.delete(old);
    this.#mean = this.#mean === null ? late : this.#mean + SMOOTHING * (late - this.#mean);
  }

  forget(): void {
    this.#least.clear();
    this.#mean = null;
  }

  /** ms later than the quickest, in the mean; null: nothing has come. */
  get lateMs(): number | null {
    if (this.#mean === null) return null;
    return Math.max(0, this.#mean - Math.min(...this.#least.values()));
  }
}

/** The delays of one playing. */
export class DelayMeter {
  readonly #audio = new Arrivals();
  readonly #video = new Arrivals();
  #stamps: Stamp[] = [];
  readonly #frames: number[] = [];
  readonly #buffers: number[] = [];

  /** A tag has arrived; the clock may have any origin. ms. */
  arrived(timestampMs: number, nowMs: number, isVideo = true): void {
    (isVideo ? this.#video : this.#audio).add(timestampMs, nowMs);
  }

  /** Another publisher goes on: how quick the first one's media came means nothing any more. */
  forgetArrivals(): void {
    this.#audio.forget();
    this.#video.forget();
  }

  /** What the network and an uneven publisher cost at present, ms; null: nothing has come. */
  get networkMs(): number | null {
    const audio = this.#audio.lateMs;
    const video = this.#video.lateMs;
    return audio === null || video === null ? audio ?? video : Math.max(audio, video);
  }

  /** The picture at `mediaMs` of the player's time was made at `clockMs` of the publisher's. */
  stamped(mediaMs: number, clockMs: number): void {
    this.#stamps.push({ mediaMs, clockMs });
    if (this.#stamps.length > STAMPS_MAX) this.#stamps.shift();
  }

  /**
   * The picture at `mediaMs` of the player's time is on the screen at `nowMs` since 1970, and `bufferMs`
   * more are there already.
   */
  shown(mediaMs: number, nowMs: number, bufferMs: number): void {
    keep(this.#buffers, bufferMs);
    const stamp = this.#stamps.findLast((each) => each.mediaMs <= mediaMs + ROUNDING_MS);
    if (!stamp || mediaMs - stamp.mediaMs > STAMP_REACH_MS) return void (this.#frames.length = 0);
    keep(this.#frames, nowMs - (stamp.clockMs + mediaMs - stamp.mediaMs));
  }

  /** What the player's buffer costs, ms: the median of the last pictures; null: none was shown. */
  get bufferMs(): number | null {
    return median(this.#buffers);
  }

  /** The true delay, ms: the median of the last pictures; null: the publisher does not tell its clock. */
  get endToEndMs(): number | null {
    return median(this.#frames);
  }
}

function keep(values: number[], value: number): void {
  values.push(value);
  if (values.length > RECENT_FRAMES) values.shift();
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
