/**
 * FLV framing, for HTTP-FLV and for reading FLV files (FLV 10.1 annex E).
 *
 *     file   "FLV" 01 flags, u32 header size 9, u32 previous tag size 0
 *     tag    type (1) data size (3) timestamp low 24 bits (3) high 8 bits (1) stream id 0 (3)
 *            data, u32 previous tag size = 11 + data size
 * @module
 */

import { ErrorCode, RtmpError } from "../rtmp/error.ts";

/** Bytes of the file header and the zero previous tag size behind it. */
export const FLV_FILE_HEADER_BYTES = 13;

/** Bytes of a tag's header. */
export const FLV_TAG_HEADER_BYTES = 11;

/** Bytes of the size that follows every tag. */
export const FLV_PREVIOUS_TAG_SIZE_BYTES = 4;

/** Largest tag that is read, bytes of data: that of an RTMP message. */
export const FLV_TAG_MAX_BYTES = 16 * 1024 * 1024 - 1;

/** Largest file header that is skipped, bytes. All known files say 9. */
const FILE_HEADER_MAX_BYTES = 1024;

/** First size of the reader's buffer, bytes: one socket read. */
const INITIAL_BUFFER_BYTES = 64 * 1024;

/** Tag types: the RTMP message types of the same number. */
export const FlvTagType = { AUDIO: 8, VIDEO: 9, SCRIPT: 18 } as const;

/** One tag. The payload is the same as that of the RTMP message. */
export interface FlvTag {
  readonly type: number;
  /** ms, as unsigned 32 bit. */
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** The bytes that an FLV stream begins with. Players obey the two flags, so they must be right. */
export function flvFileHeader(hasAudio: boolean, hasVideo: boolean): Uint8Array {
  const flags = (hasAudio ? 4 : 0) | (hasVideo ? 1 : 0);
  return Uint8Array.of(0x46, 0x4c, 0x56, 1, flags, 0, 0, 0, 9, 0, 0, 0, 0);
}

/**
 * Writes a tag header into `out` at `at` and returns the offset behind it.
 * @param size Bytes of data, below 2^24.
 * @param timestamp ms, taken modulo 2^32.
 */
export function writeFlvTagHeader(
  out: Uint8Array,
  at: number,
  type: number,
  size: number,
  timestamp: number,
): number {
  out[at] = type;
  out[at + 1] = size >>> 16;
  out[at + 2] = size >>> 8;
  out[at + 3] = size;
  out[at + 4] = timestamp >>> 16;
  out[at + 5] = timestamp >>> 8;
  out[at + 6] = timestamp;
  out[at + 7] = timestamp >>> 24;
  out[at + 8] = 0;
  out[at + 9] = 0;
  out[at + 10] = 0;
  return at + FLV_TAG_HEADER_BYTES;
}

/** Writes the size that follows a tag of `size` bytes of data; returns the offset behind it. */
export function writePreviousTagSize(out: Uint8Array, at: number, size: number): number {
  const total = size + FLV_TAG_HEADER_BYTES;
  out[at] = total >>> 24;
  out[at + 1] = total >>> 16;
  out[at + 2] = total >>> 8;
  out[at + 3] = total;
  return at + FLV_PREVIOUS_TAG_SIZE_BYTES;
}

/**
 * Reads an FLV stream that comes in pieces: `push` bytes, then call `next` until it gives null. A tag is
 * given out as soon as its data is there, without waiting for the size behind it. Holds only bytes that
 * have come; sizes announced cost nothing.
 */
export class FlvTagReader {
  #buffer = new Uint8Array(INITIAL_BUFFER_BYTES);
  #start = 0;
  #end = 0;
  /** Bytes to pass over before the next tag. */
  #skip = 0;
  #headerSeen = false;

  /** @param maxTagBytes A tag with more data than this is refused. */
  constructor(readonly maxTagBytes: number = FLV_TAG_MAX_BYTES) {}

  /** Adds bytes; they are copied. */
  push(bytes: Uint8Array): void {
    const held = this.#end - this.#start;
    if (this.#end + bytes.length > this.#buffer.length) {
      const needed = held + bytes.length;
      // Moving only when the unread part is the smaller half keeps the whole linear.
      const target = needed * 2 <= this.#buffer.length
        ? this.#buffer
        : new Uint8Array(Math.max(needed * 2, INITIAL_BUFFER_BYTES));
      target.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = target;
      this.#start = 0;
      this.#end = held;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /**
   * The next tag, or null if more bytes are needed first.
   * @throws RtmpError for what is no FLV, and for a tag above the limit.
   */
  next(): FlvTag | null {
    if (!this.#headerSeen && !this.#readFileHeader()) return null;
    if (!this.#passOver() || this.#end - this.#start < FLV_TAG_HEADER_BYTES) return null;
    const b = this.#buffer;
    const at = this.#start;
    const size = (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3];
    if (size > this.maxTagBytes) {
      throw new RtmpError(
        ErrorCode.LIMIT,
        `FLV: a tag of ${size} bytes, ${this.maxTagBytes} are allowed`,
      );
    }
    const from = at + FLV_TAG_HEADER_BYTES;
    if (this.#end - from < size) return null;
    this.#start = from + size;
    this.#skip = FLV_PREVIOUS_TAG_SIZE_BYTES;
    return {
      type: b[at] & 0x1f,
      timestamp: ((b[at + 7] << 24) | (b[at + 4] << 16) | (b[at + 5] << 8) | b[at + 6]) >>> 0,
      payload: b.slice(from, from + size),
    };
  }

  #readFileHeader(): boolean {
    if (this.#end - this.#start < 9) return false;
    const b = this.#buffer;
    const at = this.#start;
    const isFlv = b[at] === 0x46 && b[at + 1] === 0x4c && b[at + 2] === 0x56 && b[at + 3] === 1;
    const size = ((b[at + 5] << 24) | (b[at + 6] << 16) | (b[at + 7] << 8) | b[at + 8]) >>> 0;
    if (!isFlv || size < 9 || size > FILE_HEADER_MAX_BYTES) {
      throw new RtmpError(
        ErrorCode.LIMIT,
        'FLV: the stream does not begin with an FLV header ("FLV", version 1); check its address',
      );
    }
    this.#headerSeen = true;
    this.#skip = size + FLV_PREVIOUS_TAG_SIZE_BYTES;
    return true;
  }

  #passOver(): boolean {
    const step = Math.min(this.#skip, this.#end - this.#start);
    this.#start += step;
    this.#skip -= step;
    return this.#skip === 0;
  }
}
