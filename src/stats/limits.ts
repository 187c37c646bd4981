/**
 * Times of the statistics.
 * @module
 */

/** ms between two calls of `RateSampler.sample` (SRS). */
export const SAMPLE_INTERVAL_MS = 3_000;
/** ms over which a rate is averaged (SRS: `recv_30s`). */
export const WINDOW_MS = 30_000;

/** ms between two looks: four cheap timers a second. */
export const LOOP_LOOK_MS = 250;

/** A player further behind than this, ms, is called lagging. */
export const LAGGING_MS = 1000;

/** Samples that a window spans; one is taken every second. */
export const WINDOW_SAMPLES = 5;

/** ms that a sample is used for: reading it costs about a millisecond. */
export const SAMPLE_MAX_AGE_MS = 1_000;
