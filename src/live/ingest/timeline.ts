/**
 * One timeline for a stream, whatever its publishers' clocks do. Each track is corrected against itself
 * alone, so that a constant distance between audio and video stays as it is, at any size. The limits of
 * a jump and what stands in for it are those of SRS, which corrects per player and across tracks; here
 * it is done once, so that all players can share the same bytes.
 * @module
 */

import {
  JUMP_TOGETHER_MS,
  MAX_BELOW_ZERO_MS,
  MAX_START_MS,
  MAX_STEP_MS,
  SUBSTITUTE_STEP_MS,
} from "../limits.ts";
import type { TimeJitter } from "../../config/types.ts";

/** A large step is real when the clock on the wall went on by as much, give or take this share of it. */
const REAL_STEP_TOLERANCE = 0.5;

/** What is remembered of one track of the present publisher. */
class Track {
  lastOriginal = 0;
  /** Stream time of the last message, ms; may be a little below 0, which is told as 0. */
  lastOutput = 0;
  lastArrival = 0;
  /** The last step was a large one and real. */
  wasLarge = false;
  /** That step if the one before it was large too, ms: it is a slow camera's, and no gap. */
  slowStep = 0;
  /** The least and the most that it has been ahead of the other tracks' last message, ms. */
  leastLead = Infinity;
  mostLead = -Infinity;
  /** The last jump of any track that this one has made too. */
  jump = 0;
}

/** The signed difference of two timestamps, ms. RTMP's readers keep 31 bits: a wrap is no jump. */
function difference(time: number, before: number): number {
  return ((time - before) << 1) >> 1;
}

/** Names a track for `Timeline.stamp`: audio and video have ids of their own, 0 to 255. */
export function trackKey(isVideo: boolean, trackId: number): number {
  return isVideo ? 256 + trackId : trackId;
}

/** Turns a publisher's timestamps into the stream's, ms. */
export class Timeline {
  #jitter: TimeJitter;
  /** The stream's time: that of the last audio or video message. */
  #last = -1;
  /** The highest it has been: one track may be ahead of the others. */
  #highest = -1;
  /** With `zero`: the publisher's last timestamp, null until its first message, and its stream time. */
  #zeroOriginal: number | null = null;
  #zeroTime = 0;
  /** The publisher is an origin that corrects time itself. */
  #corrected = false;
  /** By `trackKey`; ids are one byte, which bounds them. */
  readonly #tracks = new Map<number, Track>();
  /** The track of the last message, and the last one that is another; null: there is none. */
  #current: Track | null = null;
  #other: Track | null = null;
  /** Number of the last jump, what it added to its track's distance from the original time, and when. */
  #jump = 0;
  #jumpShift = 0;
  #jumpArrival = 0;

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
  }

  /**
   * A publisher begins: its clock has nothing to do with the one before, all of whose time is over.
   * `jitter`: how its timestamps are corrected. `corrected`: it is an origin that has corrected them:
   * only a track that goes back, which such an origin never sends, is corrected.
   */
  restart(jitter: TimeJitter = this.#jitter, corrected = false): void {
    this.#jitter = jitter;
    this.#corrected = corrected;
    this.#last = this.#highest;
    this.#zeroOriginal = null;
    this.#tracks.clear();
    this.#current = this.#other = null;
  }

  /** The stream time of an audio or video message of a track (`trackKey`) that came at `arrivalMs`. */
  stamp(track: number, original: number, arrivalMs: number): number {
    this.#last = this.#next(track, original, arrivalMs);
    if (this.#last > this.#highest) this.#highest = this.#last;
    return this.#last;
  }

  /**
   * The stream time of a sequence header. Encoders send it at 0, or at its track's time, whatever the
   * clock of the frames says: it does not move its track.
   */
  stampHeader(key: number, original: number, arrivalMs: number): number {
    if (this.#jitter !== "full") return this.stamp(key, original, arrivalMs);
    const track = this.#tracks.get(key);
    if (!track) return this.#firstOutput(original);
    const step = difference(original, track.lastOriginal);
    const output = Math.abs(step) <= MAX_STEP_MS ? track.lastOutput + step : track.lastOutput;
    return Math.max(0, output);
  }

  #next(key: number, original: number, arrivalMs: number): number {
    if (this.#jitter === "off") return original;
    if (this.#jitter === "zero") return this.#fromZero(original);
    let track = this.#tracks.get(key);
    if (track) {
      if (track !== this.#current) this.#switchTo(track);
      this.#advance(track, original, arrivalMs);
    } else {
      track = new Track();
      track.jump = this.#jump;
      track.lastOutput = this.#firstOutput(original);
      this.#tracks.set(key, track);
      this.#switchTo(track);
      this.#noteLead(track);
    }
    track.lastOriginal = original;
    track.lastArrival = arrivalMs;
    return Math.max(0, track.lastOutput);
  }

  #fromZero(original: number): number {
    if (this.#zeroOriginal === null) {
      this.#zeroTime = this.#last < 0 ? 0 : this.now + SUBSTITUTE_STEP_MS;
    } else {
      this.#zeroTime += difference(original, this.#zeroOriginal);
    }
    this.#zeroOriginal = original;
    return Math.max(0, this.#zeroTime);
  }

  #switchTo(track: Track): void {
    this.#other = this.#current;
    this.#current = track;
  }

  /** Where a track begins: as far from the others as the publisher has it. */
  #firstOutput(original: number): number {
    const present = this.#current;
    if (!present) {
      if (this.#highest >= 0) return this.#highest + SUBSTITUTE_STEP_MS;
      return Math.min(original, MAX_START_MS);
    }
    const output = present.lastOutput + difference(original, present.lastOriginal);
    return output < -MAX_BELOW_ZERO_MS ? Math.max(0, present.lastOutput) : output;
  }

  #advance(track: Track, original: number, arrivalMs: number): void {
    const step = difference(original, track.lastOriginal);
    if (step <= MAX_STEP_MS && step >= -MAX_STEP_MS) {
      track.lastOutput = Math.max(track.lastOutput + step, -MAX_BELOW_ZERO_MS);
      track.wasLarge = false;
      track.slowStep = 0;
      this.#noteLead(track);
    } else if (this.#jumpsWithAnother(track, step, arrivalMs)) {
      track.lastOutput += step + this.#jumpShift;
      track.jump = this.#jump;
    } else if (this.#isReal(track, step, arrivalMs)) {
      track.lastOutput += step;
      if (track.wasLarge) track.slowStep = step;
      track.wasLarge = true;
    } else {
      // A slow camera keeps its pace: other tracks that jump with it keep their distance.
      const isSlow = track.slowStep > 0 && track.slowStep <= JUMP_TOGETHER_MS;
      const substitute = isSlow ? track.slowStep : SUBSTITUTE_STEP_MS;
      track.lastOutput += substitute;
      this.#jumpShift = substitute - step;
      this.#jumpArrival = arrivalMs;
      track.jump = ++this.#jump;
    }
  }

  /** Another track has jumped just now, and the same change puts this one where it was beside it. */
  #jumpsWithAnother(track: Track, step: number, arrivalMs: number): boolean {
    if (track.jump === this.#jump || arrivalMs - this.#jumpArrival > JUMP_TOGETHER_MS) return false;
    const rest = step + this.#jumpShift;
    return Math.abs(rest) <= MAX_STEP_MS ||
      (rest > 0 && this.#keepsItsPlace(track, track.lastOutput + rest));
  }

  /** Nothing has jumped: the track had a gap, or has few messages. */
  #isReal(track: Track, step: number, arrivalMs: number): boolean {
    if (step < 0) return false;
    if (this.#corrected || this.#keepsItsPlace(track, track.lastOutput + step)) return true;
    // Slow cameras do send one frame in a second.
    const elapsed = arrivalMs - track.lastArrival;
    return Math.abs(elapsed - step) <= step * REAL_STEP_TOLERANCE;
  }

  /** Whether `output` is as far from the other track as the two have been before. */
  #keepsItsPlace(track: Track, output: number): boolean {
    const other = this.#other;
    if (!other) return false;
    const lead = output - other.lastOutput;
    return (lead >= track.leastLead - MAX_STEP_MS && lead <= track.mostLead + MAX_STEP_MS) ||
      (lead >= -other.mostLead - MAX_STEP_MS && lead <= -other.leastLead + MAX_STEP_MS);
  }

  #noteLead(track: Track): void {
    const other = this.#other;
    if (!other) return;
    const lead = track.lastOutput - other.lastOutput;
    if (lead < track.leastLead) track.leastLead = lead;
    if (lead > track.mostLead) track.mostLead = lead;
  }
}
