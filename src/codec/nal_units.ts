/**
 * The NAL units of a picture, which FLV and MP4 have each behind its length, MPEG-TS each behind a start
 * code. What is cut off is left out, and so is what has no bytes (Q43).
 * @module
 */

import { START_CODE } from "./parameter_sets.ts";

/** What a unit is, as far as it matters before a picture. */
export interface NalKinds {
  /** The type of a unit, from its first byte. */
  typeOf(first: number): number;
  /** The type of access unit delimiters, and one of them behind its start code. */
  readonly delimiter: number;
  readonly delimiterBytes: Uint8Array;
  /** The first and the last of the types that are parameter sets. */
  readonly firstSet: number;
  readonly lastSet: number;
}

/** H.264's (table 7-1). The delimiter says that any kind of slice may follow. */
export const H264_NALS: NalKinds = {
  typeOf: (first) => first & 0x1f,
  delimiter: 9,
  delimiterBytes: Uint8Array.of(0, 0, 0, 1, 0x09, 0xf0),
  firstSet: 7,
  lastSet: 8,
};

/** HEVC's (table 7-1). */
export const HEVC_NALS: NalKinds = {
  typeOf: (first) => first >> 1 & 0x3f,
  delimiter: 35,
  delimiterBytes: Uint8Array.of(0, 0, 0, 1, 0x46, 0x01, 0x50),
  firstSet: 32,
  lastSet: 34,
};

/** The units of one picture, found in it once. */
export class NalUnits {
  /** Where the units begin and end, in pairs. */
  readonly #bounds: number[] = [];
  /** How many there are. */
  get count(): number {
    return this.#bounds.length / 2;
  }

  /** Bytes of all units with their start codes. */
  bytes = 0;
  /** The picture begins with a delimiter; it has parameter sets of its own. */
  delimited = false;
  hasSets = false;

  /** Looks at the units in `picture` from `at` on; each has a length of `lengthBytes` before it. */
  find(picture: Uint8Array, at: number, lengthBytes: number, kinds: NalKinds): void {
    this.#bounds.length = this.bytes = 0;
    this.delimited = this.hasSets = false;
    // Some encoders send start codes where the lengths should be (Q44).
    const isAnnexB = lengthBytes === START_CODE.length && startsAt(picture, at);
    while (at + lengthBytes < picture.length) {
      const start = at + lengthBytes;
      const end = isAnnexB ? nextStart(picture, start) : start + lengthAt(picture, at, lengthBytes);
      if (end > picture.length) return;
      at = end;
      if (end > start) this.#note(picture, start, end, kinds);
    }
  }

  /** Calls `take` with the bounds of each unit. */
  each(take: (start: number, end: number) => void): void {
    for (let i = 0; i < this.#bounds.length; i += 2) take(this.#bounds[i], this.#bounds[i + 1]);
  }

  #note(picture: Uint8Array, start: number, end: number, kinds: NalKinds): void {
    const type = kinds.typeOf(picture[start]);
    if (type === kinds.delimiter && this.#bounds.length === 0) this.delimited = true;
    if (type >= kinds.firstSet && type <= kinds.lastSet) this.hasSets = true;
    this.#bounds.push(start, end);
    this.bytes += START_CODE.length + end - start;
  }
}

function lengthAt(bytes: Uint8Array, at: number, count: number): number {
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + bytes[at + i];
  return length;
}

function startsAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 0 && bytes[at + 3] === 1;
}

/** Where the next start code of 4 bytes begins, or the end. */
function nextStart(bytes: Uint8Array, from: number): number {
  for (let at = from; at + START_CODE.length <= bytes.length; at++) {
    if (startsAt(bytes, at)) return at;
  }
  return bytes.length;
}
