/**
 * Limits and times of HLS players.
 * @module
 */

/** ms that a player waits for the first segment of a stream, before it is told 404. */
export const FIRST_SEGMENT_MS = 10_000;
/** A request for what comes next is held for so many target durations. */
export const HOLD_TARGETS = 3;
/** Requests of one stream that are held: so many for each session, and some more. */
export const HELD_PER_SESSION = 2;
export const HELD_MORE = 100;
/** ms without a request after which a session is over. */
export const SESSION_MS = 30_000;
/** Sessions that were kicked and are remembered until then, at most. */
export const MAX_KICKED = 10_000;
