/**
 * Name and version of the program.
 * @module
 */
import { COMMIT } from "./commit.ts";

/** `major.minor.revision`. */
export const VERSION = "0.1.0";

/** The product token of the HTTP `Server` header and of RTMP's server name. */
export const SERVER_NAME = "srs-edge";

/** Version and origin for people: `0.1.0 (commit 1a2b3c4)`, `0.1.0 (from source)`. */
export const BUILD = `${VERSION} (${COMMIT ? `commit ${COMMIT}` : "from source"})`;
