/**
 * Limits of what an RTMP peer may send, and sizes of buffers.
 * @module
 */

/** Deepest nesting of objects and arrays in one message (H7). */
export const AMF_MAX_DEPTH = 32;
/** Most values in one message, those inside objects and arrays included (H7). */
export const AMF_MAX_ITEMS = 4096;

/** First size in bytes: a command or its answer fits without growing. */
export const WRITER_INITIAL_BYTES = 256;

/** Largest message, bytes: what the 24-bit length field can say. */
export const MAX_MESSAGE_SIZE = 0xffffff;
/** Bytes of unfinished messages that one connection may make us hold: one full-size message and a bit. */
export const MAX_PARTIAL_BYTES = MAX_MESSAGE_SIZE + 1024 * 1024;
/** Chunk streams remembered at a time. Encoders use 3 to 8; the protocol would allow 65597. */
export const MAX_CHUNK_STREAMS = 64;
/** Assembly buffers kept for the next message, bytes per connection; larger ones are freed. */
export const KEPT_BUFFER_BYTES = 1024 * 1024;
/** Smallest assembly buffer, bytes: a connect command. A player never needs more. */
export const MIN_BUFFER_BYTES = 512;
/** A message that will not be kept a buffer for gets one of its own size when this much has arrived. */
export const RESERVE_FROM_BYTES = 64 * 1024;
/** Such a buffer grows by this much at a time. */
export const GROWTH_BYTES = 64 * 1024;

/** Initial size of a writer's buffer, bytes: the whole answer to connect fits. */
export const CHUNK_WRITER_INITIAL_BYTES = 1024;

/** A proxy header longer than this is refused, as SRS does. */
export const PROXY_MAX_LENGTH = 1024;

/** Servers in a row. Real trees of edges have two or three levels. */
export const MAX_HOPS = 8;
/** Characters of an id; longer ones are not ours. */
export const ID_MAX_LENGTH = 40;

/** Bytes given back after which the collector works: a small share of a small board's memory. */
export const COLLECT_AFTER_BYTES = 64 * 1024 * 1024;

/**
 * Longest app or stream name as it is read, bytes of UTF-8 (H12). Far above what people type, and
 * below what one log line, hook body or HTTP request line holds.
 */
export const NAME_MAX_BYTES = 2048;

/** Longest tcUrl, and longest name with its query, UTF-16 units (H11); signed URLs stay below 4 K. */
export const URL_MAX_LENGTH = 8192;
