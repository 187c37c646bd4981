/**
 * The parameter sets of H.264 and HEVC, from the configuration record that FLV has into the form that
 * MPEG-TS has: NAL units behind start codes (ISO/IEC 14496-15 §5.3.3.1 and §8.3.3.1; H.264 annex B).
 * @module
 */

/** What stands before each NAL unit in annex B. */
export const START_CODE = Uint8Array.of(0, 0, 0, 1);

/** What a decoder needs before the first picture. */
export interface ParameterSets {
  /** Bytes of the length before each NAL unit of a picture: 1, 2 or 4. */
  readonly lengthBytes: number;
  /** The sets, each behind a start code. */
  readonly annexB: Uint8Array;
}

/** Where in avcC the size of lengths stands; the counts of sets follow. */
const AVC_LENGTH_SIZE = 4;
const AVC_SPS_COUNT = 5;
const AVC_SPS_COUNT_MASK = 0x1f;
/** The same in hvcC, and the count of its arrays. */
const HEVC_LENGTH_SIZE = 21;
const HEVC_ARRAY_COUNT = 22;
const LENGTH_SIZE_MASK = 3;
/** Types of NAL units in the arrays: VPS, SPS, PPS; hvcC may have SEI as well. */
const HEVC_TYPE_MASK = 0x3f;
const HEVC_VPS = 32;
const HEVC_PPS = 34;

/** Reads avcC; null: it is cut off, or has no sets. */
export function h264ParameterSets(record: Uint8Array): ParameterSets | null {
  const nals: Uint8Array[] = [];
  if (record.length <= AVC_SPS_COUNT) return null;
  const spsEnd = take(record, AVC_SPS_COUNT + 1, record[AVC_SPS_COUNT] & AVC_SPS_COUNT_MASK, nals);
  if (spsEnd < 0 || spsEnd >= record.length) return null;
  return take(record, spsEnd + 1, record[spsEnd], nals) < 0
    ? null
    : setsOf(record[AVC_LENGTH_SIZE], nals);
}

/** Reads hvcC; null: it is cut off, or has no sets. */
export function hevcParameterSets(record: Uint8Array): ParameterSets | null {
  const nals: Uint8Array[] = [];
  if (record.length <= HEVC_ARRAY_COUNT) return null;
  let at = HEVC_ARRAY_COUNT + 1;
  for (let left = record[HEVC_ARRAY_COUNT]; left > 0; left--) {
    if (at + 3 > record.length) return null;
    const type = record[at] & HEVC_TYPE_MASK;
    const count = record[at + 1] << 8 | record[at + 2];
    at = take(record, at + 3, count, type >= HEVC_VPS && type <= HEVC_PPS ? nals : []);
    if (at < 0) return null;
  }
  return setsOf(record[HEVC_LENGTH_SIZE], nals);
}

/** Takes `count` NAL units, each behind a length of 2 bytes; returns where they end, or -1. */
function take(record: Uint8Array, at: number, count: number, into: Uint8Array[]): number {
  for (; count > 0; count--) {
    if (at + 2 > record.length) return -1;
    const end = at + 2 + (record[at] << 8 | record[at + 1]);
    if (end > record.length) return -1;
    into.push(record.subarray(at + 2, end));
    at = end;
  }
  return at;
}

function setsOf(lengthSize: number, nals: readonly Uint8Array[]): ParameterSets | null {
  if (nals.length === 0) return null;
  const annexB = new Uint8Array(nals.reduce((sum, nal) => sum + START_CODE.length + nal.length, 0));
  let at = 0;
  for (const nal of nals) {
    annexB.set(START_CODE, at);
    annexB.set(nal, at + START_CODE.length);
    at += START_CODE.length + nal.length;
  }
  return { lengthBytes: (lengthSize & LENGTH_SIZE_MASK) + 1, annexB };
}
