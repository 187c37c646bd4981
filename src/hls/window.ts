/**
 * The segments of one stream that are kept: those that its playlist lists, and those that players may still
 * ask for because an earlier one did (RFC 8216 §6.2.2).
 * @module
 */

import { LONGEST_FRAGMENTS, MIN_SEGMENTS } from "./limits.ts";
import type { Init, Part } from "./segmenter.ts";

/** Seconds by which sums of durations may be off. */
const ROUNDING_S = 0.001;

/** A part in its place. */
export interface StoredPart extends Part {
  /** Its number in its segment, from 0 on. */
  readonly index: number;
}

/** A segment, or the beginning of one. Times are seconds. */
export interface Segment {
  /** Media sequence number. */
  readonly number: number;
  readonly parts: StoredPart[];
  /** Number of its init segment. */
  readonly init: number;
  /** It does not continue the one before. */
  readonly isDiscontinuous: boolean;
  /** When its first frame came, ms since 1970, on the stream's own timeline. */
  readonly dateMs: number;
  duration: number;
  bytes: number;
  isComplete: boolean;
}

/** How much is kept. */
export interface Keep {
  /** Seconds that a playlist lists at least. */
  readonly window: number;
  /** `hls_fragment`, seconds. */
  readonly fragment: number;
}

/** All that is kept of one stream. */
export class Window {
  /** In their order; the last one may be growing. */
  readonly listed: Segment[] = [];
  /** Not listed any more, and still to be had. */
  readonly departed: Segment[] = [];
  readonly inits = new Map<number, Init>();
  /** Grows with everything that is new. */
  version = 0;
  /** Discontinuities that the playlist does not list any more. */
  discontinuities = 0;
  /** Seconds; once a segment is complete it stays. 0: none is. */
  targetDuration = 0;
  /** Bytes of all segments. */
  bytes = 0;
  /** There is a publisher. */
  isLive = false;
  readonly #keep: Keep;
  #nextNumber: number;
  #initNumber = 0;
  #isDiscontinuous = false;
  /** Date of the beginning of the timeline, ms since 1970; NaN: the next part tells it. */
  #originMs = NaN;
  /** Peak of bits per second over the segments, for the multivariant playlist. */
  peakBandwidth = 0;

  /**
   * `firstNumber`: of the first segment. A number that is never below one that an earlier run has used:
   * players wait for ever when it goes back.
   */
  constructor(keep: Keep, firstNumber: number) {
    this.#keep = keep;
    this.#nextNumber = firstNumber;
  }

  /** The segment that is growing, or null. */
  get growing(): Segment | null {
    const last = this.listed.at(-1);
    return last && !last.isComplete ? last : null;
  }

  /** Number of the segment that comes next, or grows. */
  get nextNumber(): number {
    return this.growing?.number ?? this.#nextNumber;
  }

  /** Whether there is enough for a player to begin: a segment and a part. */
  get isReady(): boolean {
    return this.targetDuration > 0;
  }

  /** Parts from now on need this init segment. */
  addInit(init: Init): void {
    this.inits.set(++this.#initNumber, init);
    if (this.listed.length > 0) this.#isDiscontinuous = true;
  }

  /** What follows does not continue what there is. */
  discontinue(): void {
    this.#isDiscontinuous = this.listed.length > 0;
    this.#originMs = NaN;
  }

  /** A part; `nowMs`: since 1970. */
  addPart(part: Part, nowMs: number): void {
    if (Number.isNaN(this.#originMs)) this.#originMs = nowMs - 1000 * (part.time + part.duration);
    const segment = this.growing ?? this.#open(part);
    segment.parts.push({ ...part, index: segment.parts.length });
    segment.duration += part.duration;
    segment.bytes += part.bytes.length;
    this.bytes += part.bytes.length;
    this.version++;
  }

  /** The parts since the last one are a segment. */
  endSegment(): void {
    const segment = this.growing;
    if (!segment) return;
    segment.isComplete = true;
    this.targetDuration ||= Math.round(Math.max(this.#keep.fragment, segment.duration)) + 1;
    const bandwidth = 8 * segment.bytes / Math.max(segment.duration, 0.1);
    this.peakBandwidth = Math.max(this.peakBandwidth, Math.round(bandwidth));
    this.version++;
    this.#age();
  }

  /** The longest segment that may come, seconds. */
  get longest(): number {
    // EXTINF is compared with the target after rounding.
    return this.targetDuration > 0
      ? this.targetDuration + 0.4
      : this.#keep.fragment * LONGEST_FRAGMENTS;
  }

  /** The segment with this number, listed or not. */
  find(number: number): Segment | null {
    const find = (all: readonly Segment[]) => all.find((segment) => segment.number === number);
    return find(this.listed) ?? find(this.departed) ?? null;
  }

  /** Drops the oldest segment, if there are more than have to be; false: there are not. */
  dropOldest(): boolean {
    const gone = this.departed.shift();
    if (gone) this.bytes -= gone.bytes;
    else if (this.listed.length > MIN_SEGMENTS) {
      const [oldest] = this.listed.splice(0, 1);
      this.bytes -= oldest.bytes;
      this.#leave(oldest);
      this.version++;
    } else return false;
    this.#forgetInits();
    return true;
  }

  #open(part: Part): Segment {
    const segment: Segment = {
      number: this.#nextNumber++,
      parts: [],
      init: this.#initNumber,
      isDiscontinuous: this.#isDiscontinuous,
      dateMs: Math.round(this.#originMs + 1000 * part.time),
      duration: 0,
      bytes: 0,
      isComplete: false,
    };
    this.#isDiscontinuous = false;
    this.listed.push(segment);
    return segment;
  }

  /** Takes from the list what is older than the window; it is kept for as long again. */
  #age(): void {
    // Durations are sums of fractions.
    const window = this.#keep.window - ROUNDING_S;
    let seconds = 0;
    let keep = this.listed.length;
    while (keep > 0 && (seconds < window || this.listed.length - keep < MIN_SEGMENTS)) {
      seconds += this.listed[--keep].duration;
    }
    for (const segment of this.listed.splice(0, keep)) {
      this.#leave(segment);
      this.departed.push(segment);
    }
    let late = this.departed.reduce((sum, { duration }) => sum + duration, 0);
    while (this.departed.length > 0 && late - this.departed[0].duration >= window) {
      const [gone] = this.departed.splice(0, 1);
      late -= gone.duration;
      this.bytes -= gone.bytes;
    }
    this.#forgetInits();
  }

  /** The next one after a discontinuity is now the first: it cannot say so itself. */
  #leave(segment: Segment): void {
    if (segment.isDiscontinuous) this.discontinuities++;
  }

  #forgetInits(): void {
    const oldest = (this.departed[0] ?? this.listed[0])?.init ?? this.#initNumber;
    for (const number of this.inits.keys()) if (number < oldest) this.inits.delete(number);
  }
}
