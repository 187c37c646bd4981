/**
 * Limits and times of the probe.
 * @module
 */

/** ms between two looks at whether it is time to end. */
export const CHECK_MS = 50;

/**
 * A pause of more than this (ms) between two messages is a gap: it is more than players like to buffer.
 */
export const GAP_MS = 250;
/** Steps of a track's timestamps beyond this (ms), or backwards, are jumps. */
export const JUMP_MS = 1000;
/**
 * ms from the first message on that count for no lag and no gap: servers send the GOP at once that they
 * have kept for newcomers.
 */
export const BURST_MS = 300;
/** A step between arrival and timestamp beyond this (ms) is another timeline: nothing lags that much. */
export const NEW_TIMELINE_MS = 60_000;
