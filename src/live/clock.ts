/**
 * Time as the live core sees it: handed in, so that the core knows no timer and tests set the pace.
 * @module
 */

/** A monotonic clock and one-shot timers. */
export interface Clock {
  /** ms since some fixed moment, with fractions. */
  now(): number;
  /** Runs `task` once after `ms`; calling the result before that cancels it. */
  after(ms: number, task: () => void): () => void;
}
