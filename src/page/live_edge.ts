/**
 * Keeps a player close behind the live stream: it plays a little faster while it has more in its buffer
 * than it needs, and learns what it needs from the times it ran dry.
 * @module
 */

import {
  FAR,
  FASTER,
  FASTEST,
  FIRST_TARGET,
  JUMP,
  MAX_TARGET,
  RELAX_AFTER,
  RELAX_STEP,
  SLACK,
  TARGET_STEP,
} from "./limits.ts";

/** What the player is to do. */
export interface Advice {
  readonly rate: number;
  /** s of buffer to jump to; null: stay. */
  readonly jumpTo: number | null;
}

/** The controller of one playing; times in seconds. */
export class LiveEdge {
  #target = FIRST_TARGET;
  #calmSince: number | null = null;
  #rate = 1;

  /** The player ran dry. */
  stalled(now: number): void {
    this.#target = Math.min(MAX_TARGET, this.#target + TARGET_STEP);
    this.#calmSince = now;
  }

  /** Several times a second: what to do with that much in the buffer. */
  advise(buffered: number, now: number): Advice {
    this.#calmSince ??= now;
    if (now - this.#calmSince > RELAX_AFTER) {
      this.#target = Math.max(FIRST_TARGET, this.#target - RELAX_STEP);
      this.#calmSince = now;
    }
    const excess = buffered - this.#target;
    if (excess > JUMP) {
      this.#rate = 1;
      return { rate: 1, jumpTo: this.#target };
    }
    // Once faster, until the target is reached: no flutter.
    if (excess <= 0) this.#rate = 1;
    else if (excess > SLACK || this.#rate > 1) {
      this.#rate = FASTER + (FASTEST - FASTER) * Math.min(1, excess / FAR) ** 2;
    }
    return { rate: this.#rate, jumpTo: null };
  }
}
