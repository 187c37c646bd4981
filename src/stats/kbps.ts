/**
 * Bit rates as SRS counts them.
 * @module
 */

import { WINDOW_MS } from "./limits.ts";
import type { Kbps } from "./view.ts";

/**
 * Turns byte counters into the average of the last full window: 0 until the first window is full, then
 * the same figure until the next one is. Time is an argument, ms of any clock.
 */
export class RateSampler {
  #startMs: number;
  #startRecv: number;
  #startSend: number;
  #kbps: Kbps = { recv30s: 0, send30s: 0 };

  /** @param nowMs when the counters, in bytes, had these values */
  constructor(nowMs: number, recvBytes = 0, sendBytes = 0) {
    this.#startMs = nowMs;
    this.#startRecv = recvBytes;
    this.#startSend = sendBytes;
  }

  /** The current rates in whole kbit/s. */
  get kbps(): Kbps {
    return this.#kbps;
  }

  /** Takes the counters' values, in bytes; to be called every `SAMPLE_INTERVAL_MS`. */
  sample(nowMs: number, recvBytes: number, sendBytes: number): void {
    const elapsedMs = nowMs - this.#startMs;
    // A clock that was set back starts a new window; the last figures stay.
    if (elapsedMs >= 0 && elapsedMs < WINDOW_MS) return;
    if (elapsedMs > 0) {
      // Bits per millisecond are kbit/s.
      this.#kbps = {
        recv30s: Math.floor((recvBytes - this.#startRecv) * 8 / elapsedMs),
        send30s: Math.floor((sendBytes - this.#startSend) * 8 / elapsedMs),
      };
    }
    this.#startMs = nowMs;
    this.#startRecv = recvBytes;
    this.#startSend = sendBytes;
  }
}
