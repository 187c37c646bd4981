/**
 * Times of the threads.
 * @module
 */

/** ms between two looks at whether all workers still answer. */
export const PING_MS = 1000;
/** Pings without an answer after which a worker counts as hung. Its longest flush takes a fraction. */
export const MAX_SILENT_PINGS = 20;
/** ms before a worker that ended is replaced: one that always ends at once must not take a core. */
export const RESTART_MS = 1000;
/** ms that the API waits for a worker's figures, and then shows the last ones. */
export const REPORT_MS = 1000;
/** ms that workers have to reload: ports may take a second. */
export const RELOAD_MS = 5000;
/** ms that workers have to stop: somewhat more than the bounds of `Server.stop` together. */
export const STOP_MS = 1200;

/** ms in which new connections from one address are counted. */
export const RATE_WINDOW_MS = 1000;
/** Most entries, a few MB. */
export const MAX_ENTRIES = 65_536;
/** ms that a worker sleeps when another one has the lock, and lost the core while it had it. */
export const LOCK_WAIT_MS = 1;
