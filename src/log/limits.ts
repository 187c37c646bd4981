/**
 * Limits of the log.
 * @module
 */

/** Addresses that are remembered at a time, 100 bytes each; the oldest make room. */
export const MAX_ADDRESSES = 10_000;
/** ms between two times at which it is said of which addresses lines were left out ... */
export const TELL_MS = 10_000;
/** ... and of how many addresses then. */
export const MAX_TOLD = 50;

/** Longest line in bytes without its line feed, the same as in SRS. Longer text is cut off. */
export const LINE_MAX_BYTES = 8191;

/** Longest time to open a file, ms. A disk that takes longer is treated as one that never answers. */
export const OPEN_LIMIT_MS = 5000;
/** Delay before a write is repeated, ms, when the descriptor is non-blocking and its reader is slow. */
export const OPEN_RETRY_MS = 20;
/** Attempts to open a file that is replaced between the check of its path and the open. */
export const MAX_OPEN_TRIES = 3;

/**
 * Most characters that wait for a slow reader, such as a paused terminal: about 10 000 lines. The write
 * in progress may hold as many again. The limit keeps the memory of a small machine for media. Lines
 * beyond it are dropped and counted.
 */
export const QUEUE_MAX_CHARS = 1024 * 1024;

/**
 * Causes that are logged of one error. The server's own chains are shorter, and a chain can be
 * circular.
 */
export const CAUSES_MAX = 4;

/** Longest chain of links that is followed. */
export const MAX_LINKS = 8;

/**
 * Longest wait of `closeLog` for a reader that does not read, ms. It makes sure that the server ends.
 */
export const CLOSE_WAIT_MS = 1000;
/**
 * Time that the process leaves at its exit to the threads that write its last lines, ms. Nothing
 * reports when they are done. A pipe or disk that answers needs a few ms.
 */
export const LAST_WAIT_MS = 150;

/** Most characters of one peer text in the log: enough for a long URL, and a line holds several. */
export const PEER_TEXT_MAX = 512;
