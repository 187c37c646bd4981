/**
 * By how much the event loop is late: a timer that should fire every so often, and what it was late.
 * @module
 */

import { LOOP_LOOK_MS } from "./limits.ts";
import type { Clock } from "../live/clock.ts";
import { DelayHistogram } from "../live/delay_histogram.ts";

/** Looks that "recently" spans: 5 s. */
const RECENT_LOOKS = 20;

/** Watches the event loop from its making until `stop`. */
export class LoopLag {
  /** All that was measured. */
  readonly lags = new DelayHistogram();
  readonly #recent = new Float64Array(RECENT_LOOKS);
  readonly #clock: Clock;
  #cancel: () => void;
  #looks = 0;
  #lastMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.now();
    this.#cancel = this.#later();
  }

  /** The most in the last 5 s, ms. */
  get recentMs(): number {
    return this.#recent.reduce((most, lag) => Math.max(most, lag), 0);
  }

  /** Ends the watch. */
  stop(): void {
    this.#cancel();
  }

  #later(): () => void {
    return this.#clock.after(LOOP_LOOK_MS, () => {
      this.#cancel = this.#later();
      this.#look(this.#clock.now());
    });
  }

  #look(nowMs: number): void {
    const lag = Math.max(0, nowMs - this.#lastMs - LOOP_LOOK_MS);
    this.#lastMs = nowMs;
    this.lags.add(lag);
    this.#recent[this.#looks++ % RECENT_LOOKS] = lag;
  }
}
