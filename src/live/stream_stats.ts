/**
 * What a stream counts for the statistics.
 * @module
 */

import { DelayHistogram } from "./delay_histogram.ts";

/** Counters that only grow. */
export class StreamStats {
  /** From the arrival of each message to its hand-over to each player's socket. */
  readonly delays = new DelayHistogram();
  /** GOPs that players too slow for the stream have not had, in whole or in part. */
  droppedGops = 0;
  /** Messages in them. */
  droppedMessages = 0;

  /** Adds those of another stream. */
  addAll(other: StreamStats): void {
    this.delays.addAll(other.delays);
    this.droppedGops += other.droppedGops;
    this.droppedMessages += other.droppedMessages;
  }
}
