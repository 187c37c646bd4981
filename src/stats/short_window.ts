/**
 * Rates and delays of the last few seconds, for people who watch.
 * @module
 */

import { WINDOW_SAMPLES } from "./limits.ts";
import { type DelayHistogram, quantileMs } from "../live/delay_histogram.ts";

/** Counters of one stream; bytes as the server sees them. */
export interface Counters {
  readonly recvBytes: number;
  readonly sendBytes: number;
  readonly frames: number;
  readonly delays: DelayHistogram;
}

/** What became of them in the window. */
export interface Recent {
  /** Frames a second. */
  readonly fps: number;
  /** kbit/s. */
  readonly recvKbps: number;
  readonly sendKbps: number;
  /** ms; null: nothing was sent. */
  readonly delayP50Ms: number | null;
  readonly delayP99Ms: number | null;
}

interface Sample {
  readonly atMs: number;
  readonly recvBytes: number;
  readonly sendBytes: number;
  readonly frames: number;
  readonly delays: Float64Array;
}

const NOTHING: Recent = { fps: 0, recvKbps: 0, sendKbps: 0, delayP50Ms: null, delayP99Ms: null };

/** Keeps the last samples of one stream. Time is an argument, ms of any monotonic clock. */
export class ShortWindow {
  readonly #samples: Sample[] = [];

  /** Takes the counters' values; to be called every second. */
  sample(atMs: number, { recvBytes, sendBytes, frames, delays }: Counters): void {
    if (this.#samples.length > WINDOW_SAMPLES) this.#samples.shift();
    this.#samples.push({ atMs, recvBytes, sendBytes, frames, delays: delays.counts.slice() });
  }

  /** What the window tells; zeros until it has two samples. */
  get recent(): Recent {
    const first = this.#samples.at(0);
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs <= first.atMs) return NOTHING;
    const ms = last.atMs - first.atMs;
    const delays = last.delays.map((count, i) => count - first.delays[i]);
    // Bits per millisecond are kbit/s.
    const kbps = (now: number, before: number) => (now - before) * 8 / ms;
    return {
      fps: (last.frames - first.frames) * 1000 / ms,
      recvKbps: kbps(last.recvBytes, first.recvBytes),
      sendKbps: kbps(last.sendBytes, first.sendBytes),
      delayP50Ms: quantileMs(delays, 0.5),
      delayP99Ms: quantileMs(delays, 0.99),
    };
  }
}
