/**
 * The commit that the program was built from.
 * @module
 */

/** Short hash, with `-dirty` behind it when files were changed; empty when run from source. */
export const COMMIT: string = "";
