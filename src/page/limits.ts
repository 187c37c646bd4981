/**
 * Times and limits of the page.
 * @module
 */

/** ms for which a stamp tells the clock of the pictures after it. */
export const STAMP_REACH_MS = 15_000;
/** A stamp's time and a picture's may differ by rounding, ms. */
export const ROUNDING_MS = 2;

/** ms that an answer may take. */
export const ANSWER_LIMIT_MS = 5000;

/** ms between two tries to play a stream whose publisher has gone. */
export const STAGE_RETRY_MS = 1000;
/**
 * ms after which a track that a live stream has lost is no longer expected: the browser waits for it, and
 * plays nothing. A publisher that has just come back may send one track a little after the other.
 */
export const LOST_TRACK_MS = 3000;

/** ms for which the button says what it has done. */
export const TOLD_MS = 1500;

/** ms between two looks at the buffer. */
export const CONTROL_MS = 100;

/** ms between two rounds of questions, and after one that failed. */
export const POLL_MS = 1000;
export const RETRY_MS = 3000;

/** ms in which a second click confirms the first. */
export const SURE_MS = 3000;
/** ms for which it is said why a client was not disconnected. */
export const NOTE_MS = 8000;

/** s of buffer that are aimed at: at first, at most, and more after each time it ran dry. */
export const FIRST_TARGET = 0.12;
export const MAX_TARGET = 1;
export const TARGET_STEP = 0.08;
/** s without running dry after which a bit less is tried. */
export const RELAX_AFTER = 30;
export const RELAX_STEP = 0.02;
/** s above the target from which on it goes faster. */
export const SLACK = 0.06;
/** s above the target from which on it jumps: going faster would take too long. */
export const JUMP = 0.8;
/** Speeds: barely audible, and for what takes longer. */
export const FASTER = 1.06;
export const FASTEST = 1.25;
/** s above the target at which the higher speed is reached. */
export const FAR = 0.4;
