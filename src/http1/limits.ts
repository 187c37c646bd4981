/**
 * Limits of HTTP requests and WebSocket frames.
 * @module
 */

/** Header fields that a head may have: more than any client or chain of proxies sends. */
export const MAX_FIELDS = 100;

/**
 * Bytes of a head. A name of 2048 bytes, percent-encoded, takes 6 KB, and a signature and a Referer come
 * on top; nginx takes 32 KB.
 */
export const MAX_HEAD_BYTES = 32 * 1024;
/** Bytes of a body: the API's requests have some hundred. */
export const MAX_BODY_BYTES = 64 * 1024;
/** Bytes of a line in a chunked body: a hexadecimal number, an extension, a trailer. */
export const MAX_CHUNK_LINE_BYTES = 1024;

/** Bytes that a client may say in one message or announce for one frame: a player has nothing to say. */
export const MAX_CLIENT_BYTES = 1024;
