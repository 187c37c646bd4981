/**
 * Sizes of what is made of streams for players of other containers.
 * @module
 */

/** Memory for the message that is being looked at, bytes: most pictures fit. */
export const COPY_BYTES = 128 * 1024;
