/**
 * Where in the log decoding can begin: the newest keyframe, and the GOP that joiners are given (spec:
 * streaming §4.1). Entries are numbers in the broadcast log, -1 is none.
 * @module
 */

/** Audio messages without a video one between them that make a stream pure audio (SRS). */
const PURE_AUDIO_MESSAGES = 115;

/** Follows one publisher's messages. */
export class Gop {
  /** The newest keyframe that can be decoded with the present headers. */
  newestKeyframe = -1;
  /** Where a joiner starts when `gop_cache` is on; without one, at the head. */
  start = -1;
  /** Pictures have come, and have not given way to sound alone. */
  hasPictures = false;

  #cache: boolean;
  #maxFrames: number;
  #frames = 0;
  #soundRun = 0;

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
    this.hasPictures = false;
    this.#soundRun = 0;
  }

  /** Nothing that has come can be decoded any more. */
  forget(): void {
    this.newestKeyframe = -1;
    this.start = -1;
    this.#frames = 0;
  }

  /** What another thread found out about the same messages. */
  mirror(newestKeyframe: number, start: number, hasPictures: boolean): void {
    this.newestKeyframe = newestKeyframe;
    this.start = start;
    this.hasPictures = hasPictures;
  }

  /** A keyframe is entry `entry`. */
  keyframe(entry: number): void {
    this.hasPictures = true;
    this.#soundRun = 0;
    this.newestKeyframe = entry;
    if (!this.#cache) return;
    this.start = entry;
    this.#frames = 1;
  }

  /** Another picture has come. */
  picture(): void {
    this.hasPictures = true;
    this.#soundRun = 0;
    this.#count();
  }

  /** Sound has come; true when it is the message that makes the stream pure audio. */
  sound(): boolean {
    const pure = ++this.#soundRun === PURE_AUDIO_MESSAGES + 1;
    if (pure) {
      this.forget();
      this.hasPictures = false;
    }
    this.#count();
    return pure;
  }

  /** A GOP that grows past the limit is of no use to joiners; the next one may be. */
  #count(): void {
    if (this.start >= 0 && this.#maxFrames > 0 && ++this.#frames > this.#maxFrames) this.start = -1;
  }
}
