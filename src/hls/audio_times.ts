/**
 * When audio frames are played, in samples: counted frame by frame, and compared with the messages' times,
 * which are in ms.
 * @module
 */

import { AUDIO_DRIFT_MS, START_MS } from "./limits.ts";

/** Places the frames of one track. */
export class AudioTimes {
  readonly #rate: number;
  /** Where the next frame goes, samples. */
  #next = NaN;

  /** `rate`: samples per second. */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /**
   * The time of a frame of `samples` that came with the time `ms`, in samples; null: there is no room for
   * it, since the frames before it last longer than the messages' times say.
   */
  place(ms: number, samples: number): number | null {
    const told = (ms + START_MS) * this.#rate / 1000;
    const drift = told - this.#next;
    const most = AUDIO_DRIFT_MS * this.#rate / 1000;
    if (drift < -most) return null;
    // The first one, and one behind a hole.
    if (!(drift <= most)) this.#next = Math.round(told);
    const time = this.#next;
    this.#next += samples;
    return time;
  }
}
