/**
 * Limits and times of sockets, ports and HTTP connections.
 * @module
 */

/**
 * ms from one turn of the runtime to the next while the event loop of ours has the thread, and there is
 * work: a turn costs 50 to 200 µs, and what the runtime's timers do may be late by as much.
 */
export const TURN_MS = 25;
/** ... and where there is none. */
export const MAX_TURN_MS = 40;
/**
 * ms for which Deno has the thread when it has something to do: a call of `fetch` takes it several steps,
 * and the loop knows of none of them.
 */
export const YIELD_MS = 4;
/** ms that the loop waits at most where it cannot see that the runtime has something to do. */
export const BLIND_WAIT_MS = 5;
/**
 * ms that another thread waits for an event while nobody publishes: after a thread that has been ended, it
 * holds on for as long.
 */
export const REST_MS = 5000;
/** ms between two looks for an event where no other thread can wait for it, and nobody publishes. */
export const DEAF_LOOK_MS = 50;
/** ms between two such looks while bytes wait for room. */
export const URGENT_LOOK_MS = 1;
/** ... doubled with every look at which nothing has happened, up to this. */
export const MAX_URGENT_LOOK_MS = 8;
/** Connections that are accepted before others are looked at. */
export const MAX_ACCEPTS = 64;

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
/** ms until a listener of ours tries again: a look costs one system call. */
export const FULL_LISTENER_MS = 100;
