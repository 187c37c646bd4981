/**
 * Times of the life of a server.
 * @module
 */

/** ms between two looks at who is still there. */
export const DRAIN_POLL_MS = 100;
/** ms between the first two lines about how many are left; then twice as long each time (SRS). */
export const DRAIN_FIRST_LINE_MS = 1000;
/** ms between two such lines at most. */
export const DRAIN_LINE_MS = 30_000;

/** ms after which the process ends although something of it has not: twice what a stop may take. */
export const STOP_LIMIT_MS = 2500;

/** ms by which a file may seem older than its process: start times are rounded, clocks are set. */
export const CLOCK_SLACK_MS = 5000;

/**
 * ms that `stop` gives clients that were asked to reconnect to do so by themselves. A client that closes
 * earlier shortens it: a restart takes about a second in all.
 */
export const RECONNECT_MS = 200;
/** ms after that in which the others may take their last bytes; then connections are cut off. */
export const STOP_TIMEOUT_MS = 300;
/** ms in which connections that were cut off are over. */
export const ABORT_MS = 100;
/** ms between two looks at whether clients have gone. */
export const STOP_POLL_MS = 10;
/** ms between two log lines about refused connections. */
export const REFUSAL_LOG_MS = 10_000;
/**
 * ms for which a player of a draining server may be without a publisher. It would wait for ever for one:
 * closed, most reconnect, and find the server that has taken over.
 */
export const ORPHAN_MS = 3000;

/** ms by which a draining server puts off the end of systemd's patience, again and again. */
export const EXTENSION_MS = 6000;
