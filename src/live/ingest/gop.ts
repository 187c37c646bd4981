/**
 * Where in the log decoding can begin: the newest keyframe, and the GOP that joiners are given (spec:
 * streaming §4.1). Entries are numbers in the broadcast log, -1 is none.
 * @module
 */

import { MAX_GOP_MS, NO_VIDEO_MS, VIDEO_GONE_MS } from "../limits.ts";

/** Follows one publisher's messages. */
export class Gop {
  /** The newest keyframe that can be decoded with the present headers. */
  newestKeyframe = -1;
  /** Where a joiner starts when `gop_cache` is on; without one, at the head. */
  start = -1;
  /** Video has come, and has not given way to audio alone. */
  hasVideo = false;

  #cache: boolean;
  #maxFrames: number;
  #frames = 0;
  /** Stream time of the keyframe at `start`, ms. */
  #startTime = 0;
  /** Stream time and clock of the last picture, or of the first audio before any, ms; null: neither. */
  #pictureTime: number | null = null;
  #pictureNow = 0;
  /** It has been found to be audio only. */
  #audioOnly = false;

  /** `cache`: joiners start at a keyframe; `maxFrames`: largest GOP for that, 0 = any. */
  constructor(cache: boolean, maxFrames: number) {
    this.#cache = cache;
    this.#maxFrames = maxFrames;
  }

  /** Other settings, for what comes: a cache that is switched on begins with the next keyframe. */
  configure(cache: boolean, maxFrames: number): void {
    this.#cache = cache;
    this.#maxFrames = maxFrames;
    if (!cache) this.start = -1;
  }

  /** A new publisher begins. */
  restart(): void {
    this.forget();
    this.hasVideo = false;
    this.#pictureTime = null;
    this.#audioOnly = false;
  }

  /** Nothing that has come can be decoded any more. */
  forget(): void {
    this.newestKeyframe = -1;
    this.start = -1;
    this.#frames = 0;
  }

  /** What another thread found out about the same messages. */
  mirror(newestKeyframe: number, start: number, hasVideo: boolean): void {
    this.newestKeyframe = newestKeyframe;
    this.start = start;
    this.hasVideo = hasVideo;
  }

  /** A keyframe is entry `entry`; `time` of the stream, `now` of the clock, ms. */
  keyframe(entry: number, time: number, now: number): void {
    this.#notePicture(time, now);
    this.newestKeyframe = entry;
    if (!this.#cache) return;
    this.start = entry;
    this.#startTime = time;
    this.#frames = 1;
  }

  /** Another picture has come. */
  picture(time: number, now: number): void {
    this.#notePicture(time, now);
    this.#count(time);
  }

  /** Audio has come; true when it is the message that makes the stream audio only. */
  audio(time: number, now: number): boolean {
    if (this.#pictureTime === null) {
      this.#pictureTime = time;
      this.#pictureNow = now;
    }
    // By both clocks: timestamps may jump, and what a stalled network held back comes all at once.
    const passed = Math.min(time - this.#pictureTime, now - this.#pictureNow);
    const audioOnly = !this.#audioOnly &&
      passed > (this.hasVideo ? VIDEO_GONE_MS : NO_VIDEO_MS);
    if (audioOnly) {
      this.forget();
      this.hasVideo = false;
      this.#audioOnly = true;
    }
    this.#count(time);
    return audioOnly;
  }

  #notePicture(time: number, now: number): void {
    this.hasVideo = true;
    this.#audioOnly = false;
    this.#pictureTime = time;
    this.#pictureNow = now;
  }

  /** A GOP that grows past a limit is of no use to joiners; the next one may be. */
  #count(time: number): void {
    if (this.start < 0) return;
    const tooMany = this.#maxFrames > 0 && ++this.#frames > this.#maxFrames;
    if (tooMany || time - this.#startTime > MAX_GOP_MS) this.start = -1;
  }
}
