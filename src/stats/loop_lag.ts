/**
 * By how much the event loop is late: a timer that should fire every so often, and what it was late.
 * @module
 */

import { LOOP_LOOK_MS } from "./limits.ts";
import { DelayHistogram } from "../live/delay_histogram.ts";

/** Looks that "recently" spans: 5 s. */
const RECENT_LOOKS = 20;

/** Watches the event loop from its making until `stop`. */
export class LoopLag {
  /** All that was measured. */
  readonly lags = new DelayHistogram();
  readonly #recent = new Float64Array(RECENT_LOOKS);
  readonly #timer: ReturnType<typeof setInterval>;
  #looks = 0;
  #lastMs: number;

  /** `now`: a monotonic clock, ms. */
  constructor(now: () => number) {
    this.#lastMs = now();
    this.#timer = setInterval(() => this.#look(now()), LOOP_LOOK_MS);
  }

  /** The most in the last 5 s, ms. */
  get recentMs(): number {
    return this.#recent.reduce((most, lag) => Math.max(most, lag), 0);
  }

  /** Ends the watch. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #look(nowMs: number): void {
    const lag = Math.max(0, nowMs - this.#lastMs - LOOP_LOOK_MS);
    this.#lastMs = nowMs;
    this.lags.add(lag);
    this.#recent[this.#looks++ % RECENT_LOOKS] = lag;
  }
}
