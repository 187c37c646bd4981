/**
 * Name and version of the program.
 * @module
 */

/** `major.minor.revision`. */
export const VERSION = "0.1.0";

/** The product token of the HTTP `Server` header and of RTMP's server name. */
export const SERVER_NAME = "srs-edge";
