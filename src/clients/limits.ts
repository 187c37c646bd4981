/**
 * Time and size limits towards every server that we connect to. SRS's values where SRS has one (S13).
 * @module
 */

/** ms for the TCP connection, and for TLS on top of it (SRS: edge pull 5 s). */
export const CONNECT_TIMEOUT_MS = 5000;
/**
 * ms for the handshake, and for each answer after it. SRS's edge allows 500 ms, which fails on slow
 * links; its RTMP limit of 30 s would keep players of a dead origin waiting.
 */
export const ANSWER_TIMEOUT_MS = 5000;
/** ms without audio, video or data once playing (SRS: 5 s), then the next origin is due (S7). */
export const MEDIA_TIMEOUT_MS = 5000;
/** ms that an upstream may take nothing of what we publish (SRS: RTMP 30 s). */
export const WRITE_STALL_MS = 30_000;
/** ms between two attempts at upstreams at most (SRS: always); none after a redirect. */
export const RETRY_PAUSE_MS = 3000;
/** ms before the second attempt; it doubles from there to `RETRY_PAUSE_MS`. */
export const RETRY_FIRST_MS = 250;
/** ms that an upstream must have had media for its break to be an accident: tried again at once. */
export const STABLE_MS = 5000;
/** ms between two log lines about an upstream that fails again and again in the same way. */
export const SAME_FAILURE_LOG_MS = 60_000;
/** Redirects followed in a row, RTMP 302 and HTTP 302 alike (SRS: 3 for HTTP). Ends loops. */
export const MAX_REDIRECTS = 3;
/** ms between two looks at the deadlines. */
export const TICK_MS = 250;
/** Bytes of a message from an upstream that is not playing to us yet: commands, which are short (H11). */
export const MAX_COMMAND_BYTES = 64 * 1024;
/** Commands and pings per second from one upstream: a server sends a handful (H20). */
export const MAX_REQUESTS_PER_SECOND = 100;
/** Bytes of our answers that may wait for an upstream that does not read (H20). */
export const MAX_PENDING_ANSWERS = 256 * 1024;
/** Our chunk size unless the caller says otherwise, bytes (SRS). */
export const DEFAULT_OUT_CHUNK_SIZE = 60_000;
/** Window after which we want acknowledgements, bytes (SRS). */
export const ACK_WINDOW = 2_500_000;
/** What we tell a server of our buffer, ms (SRS). */
export const BUFFER_LENGTH_MS = 1000;

/** Longest address of a redirect that is followed, characters. */
export const LOCATION_MAX = 8192;
