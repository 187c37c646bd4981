/**
 * Times and limits of HLS.
 * @module
 */

/**
 * Where a stream's timeline begins, ms: so early that no composition time and no audio that lags behind
 * makes a time fall below 0.
 */
export const START_MS = 10_000;
/** Audio is placed anew when its counted time is this far from its messages', ms. */
export const AUDIO_DRIFT_MS = 40;
/** A track that jumps back, or forward, by more than this (ms) begins a discontinuity. */
export const JUMP_BACK_MS = 500;
export const JUMP_FORWARD_MS = 3000;

/** By how much a part may be longer than it is meant to be: frames do not come evenly. */
export const PART_MARGIN = 1.1;
/** Pictures after which the length of a frame is known well enough to choose that of parts. */
export const GRID_FRAMES = 8;
/** ... or the ms after which it has to do. */
export const GRID_MS = 600;

/** Longest segment: this many times `hls_fragment` (SRS drops segments that are longer). */
export const LONGEST_FRAGMENTS = 3;
/** Bytes of one segment at most; it is ended then, keyframe or not. */
export const MAX_SEGMENT_BYTES = 16 * 1024 * 1024;
/** Segments that a playlist keeps in any case. */
export const MIN_SEGMENTS = 3;
/** Segments at the end of a playlist whose parts are listed. */
export const SEGMENTS_WITH_PARTS = 3;

/** Memory for the segments of all streams, bytes: 16 s of 4 Mbit/s, eight times. */
export const MEMORY_BYTES = 64 * 1024 * 1024;
/** Numbers of segments count seconds from here, 2020-01-01, ms since 1970. */
export const EPOCH_MS = 1_577_836_800_000;
