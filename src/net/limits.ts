/**
 * Limits and times of sockets, ports and HTTP connections.
 * @module
 */

/**
 * ms between two looks: what a word of a player's may wait. A look costs some 100 µs where the processor
 * is asleep in between: at 10 ms it was a tenth of the CPU of 1000 players.
 */
export const DEAF_LOOK_MS = 50;
/** ms between two looks while bytes wait for room, or a player sends more than words. */
export const URGENT_LOOK_MS = 1;
/**
 * ... doubled with every look at which nothing has happened, up to this: a player that takes nothing for
 * a minute needs less haste, and a publisher's next picture comes some 40 ms after the last one.
 */
export const MAX_URGENT_LOOK_MS = 8;

/** HTTP connections that are no players', at most: a browser opens six, a proxy some tens. */
export const MAX_HTTP_CONNECTIONS = 512;

/**
 * Seconds that a request may take to come, head and body, and that a connection may idle between two
 * (H36). nginx: 60 and 75; a box on the edge has fewer connections to give away.
 */
export const REQUEST_TIMEOUT_S = 10;
/** Seconds in which a client must take something of an answer. */
export const ANSWER_STALL_S = 30;
/**
 * Seconds for which a stream continues without a byte after its client has closed its sending side: one
 * that is gone altogether shows that by a reset as soon as it is sent something, and not before.
 */
export const HALF_CLOSED_S = 2;
/** Bytes that are not sent until the client has taken what was sent before. */
export const MAX_PENDING_BYTES = 256 * 1024;

/** ms between two looks at the time that connections take. */
export const HTTP_TICK_MS = 1000;

/** ms for which connections are gathered before all descriptors are looked at. */
export const GATHER_MS = 100;

/** ms in which a port that was released must be free again: Deno's HTTP server takes a few. */
export const FREE_LIMIT_MS = 1000;
/** ms between two looks at whether it is. */
export const FREE_POLL_MS = 10;

/** ms between two beats: calls of `RunClock.beat`, by the server's tick. */
export const BEAT_MS = 1000;
/**
 * ms by which a beat may be late before the time since the last look at the clock is taken for a pause. A
 * busy loop is late by less, and deadlines are no shorter than that.
 */
export const LATE_MS = 500;
/** ms by which a timer may fire early, by the runtimes' rounding. */
export const EARLY_MS = 1;

/** ms that a peer has to take the last bytes and close, before it is cut off. */
export const CLOSE_LINGER_MS = 2000;
/** ms of silence after which the kernel asks whether a peer is still there (H21). */
export const KEEPALIVE_MS = 30_000;
/**
 * Bytes that must have come before the runtime is woken for a connection that is read by `readWaiting`:
 * more than come in between. The kernel makes its buffer twice as large.
 */
export const UNREAD_BYTES = 256 * 1024;
/** ms until a descriptor is asked for again when all are in use, and a connection would stand still. */
export const DESCRIPTOR_RETRY_MS = 100;
/** Bytes received at a time by what reads or looks without the runtime. */
export const RECEIVE_BYTES = 64 * 1024;

/** ms that a client may take to shake hands (H65). */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Handshakes that may be on their way; the descriptors and the memory of more are not for strangers. */
export const MAX_HANDSHAKES = 256;
/** ms until it is tried again to accept, when there are no descriptors. */
export const ACCEPT_RETRY_MS = 500;
