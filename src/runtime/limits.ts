/**
 * Limits of what belongs to the process.
 * @module
 */

/**
 * Memory that is reserved and never touched, bytes: V8 answers such a demand with a full collection,
 * the kernel with nothing but an entry in a table.
 */
export const PROVOKING_BYTES = 64 * 1024 * 1024;

/** Descriptors that can be noted: more than any system lets a process have by default (2^20 at most). */
export const MAX_DESCRIPTORS = 1 << 20;

/** Kinds that are told apart: each is one place in the program. */
export const MAX_KINDS = 100;

/** Events taken per `epoll_wait`. */
export const MAX_EVENTS = 256;
/** Bytes of a file below `/proc` that are looked at. */
export const MAX_TEXT_BYTES = 64 * 1024;
/** ... of a link's target: PATH_MAX. */
export const MAX_LINK_BYTES = 4096;

/**
 * Bytes that a connection is expected to take: its objects, on either runtime. Growth by these is no
 * garbage, and a collection while thousands join would only delay their streams.
 */
export const CONNECTION_BYTES = 32 * 1024;
/** What a server grows by in its first seconds, bytes: modules, and code that is compiled when it is used. */
export const WARM_UP_BYTES = 16 * 1024 * 1024;
/** Growth beyond what is expected that is worth a collection, bytes: a third of the server's own size. */
export const MIN_GROWTH_BYTES = 24 * 1024 * 1024;
/** ... and as a share of what there was: a collection of a large heap takes longer. */
export const MIN_GROWTH_SHARE = 0.25;
/**
 * ms from one collection to the next. Each stops the event loop for about 10 ms; the first ones may
 * come in the middle of a burst, or of the next one, when all is in use yet, so more follow although
 * nothing has grown since: the last after 35 s.
 */
export const RESTS_MS = [5000, 10_000, 20_000, 20_000];
/**
 * ms from one collection to the next of a process that is larger than it once was and no longer grows:
 * what was in use for longer than the rests above may not be any more.
 */
export const LONG_REST_MS = 300_000;
