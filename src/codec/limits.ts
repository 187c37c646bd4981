/**
 * Limits of what is read of a payload.
 * @module
 */

/** Highest rate that is believed, Hz. */
export const MAX_RATE = 192000;

/** Most bytes of a parameter set that are looked at: width and height lie far before (H15). */
export const UNESCAPE_MAX_BYTES = 4096;
/** Longest exp-Golomb prefix; a 32-bit value has no more leading zeros. */
export const GOLOMB_MAX_ZEROS = 32;

/**
 * Largest data message that is passed on, bytes. Ad marks and captions have a few hundred; what is far
 * larger is a file, and would hold up the media of every player.
 */
export const MAX_DATA_MESSAGE_BYTES = 64 * 1024;

/** Fields that are read. Encoders send 10 to 40; with each at its largest, the codec's limit holds. */
export const MAX_FIELDS = 1024;

/**
 * Largest picture that is believed: the most luma samples of H.264, HEVC and AV1 level 6.2, and the
 * longest side that they allow with it.
 */
export const MAX_SAMPLES = 8192 * 4352;
export const MAX_SIDE = 16888;
