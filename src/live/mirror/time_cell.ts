/**
 * The highest time of a stream, in memory that other threads see whatever becomes of this one.
 * @module
 */

import type { Follower } from "../follow/follower.ts";
import type { LiveStream } from "../stream/live_stream.ts";

/** Follows a stream and notes its time; it reads no entry. */
export class TimeCell implements Follower {
  readonly audience = 0;
  readonly reads = false;
  readonly needsStream = false;
  readonly cursor = Infinity;
  readonly #stream: LiveStream;
  readonly #cell: Float64Array;

  /** `cell`: one number, ms. */
  constructor(stream: LiveStream, cell: Float64Array) {
    this.#stream = stream;
    this.#cell = cell;
  }

  pull(): void {
    this.#cell[0] = this.#stream.ingest.timeline.highest;
  }

  end(): void {
    this.pull();
  }

  begin(): void {}
  resumeAt(): void {}
  checkLag(): void {}
  dropBacklog(): void {}
  trimming(): void {}
}
