/**
 * Whether a publisher sends audio, video, or both: an FLV stream begins with two flags that say so,
 * and browsers wait in vain for what is promised and does not come.
 * @module
 */

import { GUESS_MS, HEADER_ONLY_MS } from "../limits.ts";

/** Kinds of media. */
export interface Kinds {
  readonly audio: boolean;
  readonly video: boolean;
}

const HEADER = 1;
const FRAMES = 2;

/** What one publisher has sent. Times are ms of the clock. */
export class Contents {
  #audio = 0;
  #video = 0;
  #since: number | null = null;

  /** A message has come. */
  note(isVideo: boolean, isHeader: boolean, nowMs: number): void {
    this.#since ??= nowMs;
    const seen = isHeader ? HEADER : FRAMES;
    if (isVideo) this.#video |= seen;
    else this.#audio |= seen;
  }

  /** What is in the stream; null while it is too early to tell. */
  kinds(nowMs: number): Kinds | null {
    const age = this.#since === null ? 0 : nowMs - this.#since;
    const present = (seen: number) => age < HEADER_ONLY_MS ? seen !== 0 : (seen & FRAMES) !== 0;
    const kinds = { audio: present(this.#audio), video: present(this.#video) };
    return kinds.audio && kinds.video || age >= GUESS_MS ? kinds : null;
  }
}
