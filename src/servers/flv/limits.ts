/**
 * Limits and times of HTTP-FLV players.
 * @module
 */

/** ms that a player at an edge waits for the stream to come from the origin, before it is told 404. */
export const ORIGIN_WAIT_MS = 8000;
/** ms between two looks at whether it has come. */
export const ORIGIN_POLL_MS = 20;

/** Live streams that an answer lists at most. */
export const MAX_LISTED = 20;

/**
 * ms for which a player without a publisher is kept: an encoder that has lost its network is mostly back
 * by then, and its viewers need not even notice. RTMP players may wait for ever.
 */
export const PUBLISHER_WAIT_MS = 15_000;
/** ms that a WebSocket may take to come about. */
export const OPEN_TIMEOUT_MS = 10_000;
/** ms between two looks at whether it is known what is in a stream that has just begun. */
export const KINDS_POLL_MS = 20;
