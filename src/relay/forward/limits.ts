/**
 * Limits of forwards and of the server that names their destinations.
 * @module
 */

/** ms for the TCP connection to a destination of `forward` (SRS). */
export const FORWARD_CONNECT_MS = 3000;
/** ms for the answer of `forward { backend }`; the publisher waits for it. */
export const BACKEND_TIMEOUT_MS = 5000;
/** Bytes of that answer, and destinations in it. */
export const BACKEND_MAX_BYTES = 64 * 1024;
export const MAX_DESTINATIONS = 32;
