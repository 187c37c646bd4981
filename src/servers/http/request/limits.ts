/**
 * Limits and times of the HTTP side.
 * @module
 */

/** Bytes of a request's body, at most. */
export const DRAIN_BODY_BYTES = 4096;
/** Characters of the address that clients are sent to, as long as any that we accept ourselves. */
export const MAX_TC_URL = 512;

/** Characters of such a name. Libraries make names of some 50. */
export const CALLBACK_MAX = 128;

/** Entries of a page at most: an answer of some MB, more than the clients of one server by default. */
export const PAGE_MAX = 10_000;

/** ms that another server on our port has to say whether it drains. */
export const DRAIN_CHECK_MS = 1000;
/** ms between two attempts at a port that a draining server has. */
export const TAKEN_POLL_MS = 500;

/** Streams that have series of their own: the most played, the oldest first (H23). */
export const MAX_STREAM_SERIES = 20;

/** Bytes read from a file at once; what a stalled browser costs. */
export const CHUNK_BYTES = 64 * 1024;

/** ms between two lines of the log about such requests. */
export const AMBIGUOUS_EVERY_MS = 60_000;

/** Wrong passwords of one address that are answered at once: a script with an old one, some people. */
export const MAX_WRONG = 30;
/**
 * ms after which an address that has used them up may be wrong once more: 3600 guesses an hour. Never a
 * full stop: behind a proxy or NAT one address is many people.
 */
export const FORGIVE_MS = 1000;
/** ms between two lines of the log about one address. */
export const WRONG_LINE_EVERY_MS = 60_000;
/** Addresses that are remembered at a time, 200 bytes each; the oldest make room. */
export const MAX_ADDRESSES = 10_000;
/** Lines in one `LINE_EVERY_MS`: many addresses share the last one. */
export const MAX_WRONG_LINES = 50;
