/**
 * Limits of an edge: how long a pull lasts, and how many there may be.
 * @module
 */

/** ms for the TCP connection to an origin where there is another one to turn to. */
export const CONNECT_ONE_OF_SEVERAL_MS = 2000;
/**
 * ms for which a pull outlives its last player (SRS: none). Reloading a page and changing channels to
 * and fro take less; with `gop_cache on` a player that comes back has a picture at once.
 */
export const LINGER_MS = 5000;
/**
 * The same for a stream that was never there: who asks for many names in turn is not to have many
 * connections to the origin.
 */
export const IDLE_LINGER_MS = 1000;
/**
 * Streams that one address (IPv6: a /64) may have an edge ask for that it has never had: more than one
 * viewer, or a family's screens, wait for at a time.
 */
export const MAX_UNSEEN_PULLS_PER_ADDRESS = 32;
/** The same for all clients of a vhost: each is a connection to an origin. */
export const MAX_UNSEEN_PULLS_PER_VHOST = 256;
/** ms between two questions of a worker whether it may pull what another one was pulling. */
export const RECLAIM_MS = 1000;
/** ms within which an origin must have accepted a publisher, all attempts together; it waits for that. */
export const PUBLISH_ANSWER_MS = 8000;
/** ms for the TCP connection when an origin is asked about a client (SRS). */
export const TRAVERSE_CONNECT_MS = 3000;

/**
 * With several origins, an idle one is left for the next after `MEDIA_TIMEOUT_MS`, which doubles so often
 * from round to round while none has the stream. (A single one is kept as long as it answers.)
 */
export const MAX_IDLE_DOUBLINGS = 3;
