/**
 * One timeline for a stream, whatever its publishers' clocks do (spec: streaming §5). SRS corrects per
 * player; here it is done once, so that all players can share the same bytes.
 * @module
 */

import type { TimeJitter } from "../config/types.ts";

/** A step larger than this (ms), either way, is a jump and no frame interval (SRS). */
const MAX_STEP_MS = 250;
/** The step that stands in for a jump, ms (SRS). */
const SUBSTITUTE_STEP_MS = 10;
/** A large step is real when the clock on the wall went on by as much, give or take this share of it. */
const REAL_STEP_TOLERANCE = 0.5;

/** Turns a publisher's timestamps into the stream's, ms. */
export class Timeline {
  #jitter: TimeJitter;
  /** The stream's time: that of the last audio or video message. Starts so that a first 0 gives 0. */
  #last = -1;
  /** The highest it has been: sound may be ahead of the pictures. */
  #highest = -1;
  #lastOriginal = 0;
  #lastArrival = 0;
  /** What `zero` adds to every timestamp of this publisher; null until its first message. */
  #shift: number | null = null;
  #fresh = true;
  /** What came last came elsewhere. */
  #foreign = false;

  constructor(jitter: TimeJitter) {
    this.#jitter = jitter;
  }

  /** The stream's present time, ms. */
  get now(): number {
    return Math.max(0, this.#last);
  }

  /** The time of the last message, ms; below 0: there has been none. */
  get last(): number {
    return this.#last;
  }

  /** The highest time that there has been, ms; below 0: none. */
  get highest(): number {
    return this.#highest;
  }

  /** The stream has been elsewhere, and its time has gone on there: to `last`, at most to `highest`. */
  follow(last: number, highest: number): void {
    this.#last = last;
    this.#highest = Math.max(this.#highest, highest);
    this.#foreign = true;
  }

  /**
   * A publisher begins: its clock has nothing to do with the one before, all of whose time is over.
   * `jitter`: how its timestamps are corrected.
   */
  restart(jitter: TimeJitter = this.#jitter): void {
    this.#jitter = jitter;
    this.#last = this.#highest;
    this.#fresh = true;
    this.#shift = null;
  }

  /** The stream time of an audio or video message that came at `arrivalMs`. */
  stamp(original: number, arrivalMs: number): number {
    this.#last = this.#next(original, arrivalMs);
    this.#highest = Math.max(this.#highest, this.#last);
    this.#lastOriginal = original;
    this.#lastArrival = arrivalMs;
    this.#fresh = this.#foreign = false;
    return this.#last;
  }

  #next(original: number, arrivalMs: number): number {
    if (this.#jitter === "off") return original;
    if (this.#jitter === "zero") {
      this.#shift ??= this.now - original + (this.#last < 0 ? 0 : SUBSTITUTE_STEP_MS);
      return Math.max(0, original + this.#shift);
    }
    let step = original - this.#lastOriginal;
    if (this.#isJump(step, arrivalMs)) step = SUBSTITUTE_STEP_MS;
    return Math.max(0, this.#last + step);
  }

  #isJump(step: number, arrivalMs: number): boolean {
    // Audio and video of one publisher may overtake each other a little; a new one goes on from here.
    if (this.#fresh && (step < 0 || (this.#foreign && this.#last >= 0))) return true;
    return Math.abs(step) > MAX_STEP_MS && !this.#isReal(step, arrivalMs);
  }

  /** Slow cameras do send one frame in a second. */
  #isReal(step: number, arrivalMs: number): boolean {
    if (this.#fresh || step < 0) return false;
    const elapsed = arrivalMs - this.#lastArrival;
    return Math.abs(elapsed - step) <= step * REAL_STEP_TOLERANCE;
  }
}
