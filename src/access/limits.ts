/**
 * Every limit of hooks.
 * @module
 */

/**
 * ms that one call may take; for an asking one its turn's wait is part of it (SRS: 30 s). Encoders give
 * up after 10 to 30 s, and a client that waits here holds a connection.
 */
export const HOOK_TIMEOUT_MS = 10_000;
/** ms for all calls before a client may publish or play: SRS's limit for one of them. */
export const ASK_TIMEOUT_MS = 30_000;
/**
 * ms for which a newcomer waits for the delivery of the last publisher's on_unpublish before it is asked
 * about. Longer than a busy hook server needs; encoders give up after 10 s.
 */
export const DEPARTURE_WAIT_MS = 5000;
/** Bytes of an answer. `{"code":0}` has 10. */
export const MAX_ANSWER_BYTES = 64 * 1024;
/**
 * Asking calls (on_connect, on_publish, on_play) under way to one hook server: enough for 3000 clients a
 * second at 10 ms each, and all that a dead one can hold.
 */
export const MAX_ASKING_CALLS = 32;
/** Telling calls (on_close, on_unpublish, on_stop) under way to one hook server. They may be late. */
export const MAX_TELLING_CALLS = 16;
/**
 * Calls of either kind that wait for their turn at one hook server, about 1 KB each; a dead one must not
 * fill the memory. Asking ones wait for 10 s at most, telling ones for as long as it takes.
 */
export const MAX_WAITING_CALLS = 10_000;
/** ms that what is still to be told gets when the server stops: a restart takes about a second in all. */
export const STOP_GRACE_MS = 500;

/** Characters of one such text: the longest pages' addresses in use have some hundreds. */
export const KEPT_CHARACTERS = 1024;

/** Characters of a refusing answer that are repeated in the log. */
export const QUOTED_MAX = 100;
