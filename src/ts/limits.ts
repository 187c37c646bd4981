/**
 * Limits and times of MPEG-TS.
 * @module
 */

/** ms after which the tables are said again: a player that joins between keyframes waits for them. */
export const TABLES_MS = 500;
