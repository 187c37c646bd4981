/**
 * When to try again. SRS pauses for 3 s whatever has happened; a publisher or server that comes back
 * right after an attempt is seen that late. Here the first pauses are short, and 3 s is the longest.
 * @module
 */

import { RETRY_FIRST_MS, RETRY_PAUSE_MS, STABLE_MS } from "./limits.ts";

/** The part of a pause that is left to chance, so that a hundred streams do not come back as one. */
const JITTER = 0.25;

/** The pauses between the attempts at one upstream. */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  /** `random`: 0 to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Pauses since it last worked. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * An upstream has been of use for so many ms. True: for so long that its break was an accident, and
   * the next attempt is due at once. What breaks again and again waits.
   */
  worked(ms: number): boolean {
    if (ms < STABLE_MS) return false;
    this.#failures = 0;
    return true;
  }

  /** ms until the next attempt. */
  next(): number {
    const pause = Math.min(RETRY_FIRST_MS * 2 ** this.#failures, RETRY_PAUSE_MS);
    this.#failures++;
    return Math.round(pause * (1 - JITTER * this.#random()));
  }
}
