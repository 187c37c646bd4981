/**
 * The chunk stream, outgoing: one type-0 header for every message, type-3 headers for the rest of a
 * long one. No header compression, so that bytes encoded once suit every player.
 * @module
 */

import { CHUNK_WRITER_INITIAL_BYTES } from "./limits.ts";
import { DEFAULT_CHUNK_SIZE } from "./chunk_reader.ts";
import { readU32 } from "./message.ts";

/** Type-0 header: basic(1) timestamp(3) length(3) type(1) stream id(4). */
const HEADER_SIZE = 12;
/** Timestamps from here on go into the 4-byte extended field, in every chunk of the message. */
const EXTENDED = 0xffffff;
const TYPE_3 = 0xc0;

/** Bytes that a message takes on the wire. */
export function wireSize(length: number, timestamp: number, chunkSize: number): number {
  const extended = (timestamp >>> 0) >= EXTENDED ? 4 : 0;
  const continuations = length > chunkSize ? Math.ceil(length / chunkSize) - 1 : 0;
  return HEADER_SIZE + extended + length + continuations * (1 + extended);
}

function writeU32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/**
 * Writes one message as chunks into `target` at `at` and returns the position after it. The chunk
 * stream id is 2..63, the timestamp in ms is taken modulo 2^32; there must be room for `wireSize` bytes.
 */
export function writeMessage(
  target: Uint8Array,
  at: number,
  chunkStream: number,
  type: number,
  timestamp: number,
  streamId: number,
  payload: Uint8Array,
  chunkSize: number,
): number {
  const length = payload.length;
  const extended = (timestamp >>> 0) >= EXTENDED;
  const time = extended ? EXTENDED : timestamp;
  target[at] = chunkStream;
  target[at + 1] = time >>> 16;
  target[at + 2] = time >>> 8;
  target[at + 3] = time;
  target[at + 4] = length >>> 16;
  target[at + 5] = length >>> 8;
  target[at + 6] = length;
  target[at + 7] = type;
  target[at + 8] = streamId;
  target[at + 9] = streamId >>> 8;
  target[at + 10] = streamId >>> 16;
  target[at + 11] = streamId >>> 24;
  at += HEADER_SIZE;
  if (extended) {
    writeU32(target, at, timestamp);
    at += 4;
  }
  if (length <= chunkSize) {
    target.set(payload, at);
    return at + length;
  }
  for (let from = 0; from < length; from += chunkSize) {
    if (from > 0) {
      target[at++] = TYPE_3 | chunkStream;
      if (extended) {
        writeU32(target, at, timestamp);
        at += 4;
      }
    }
    const piece = payload.subarray(from, from + chunkSize);
    target.set(piece, at);
    at += piece.length;
  }
  return at;
}

/** Type of a message that `writeMessage` has put at the beginning of `wire`. */
export function wireType(wire: Uint8Array): number {
  return wire[7];
}

/** Bytes of the payload of such a message. */
export function wireLength(wire: Uint8Array): number {
  return (wire[4] << 16) | (wire[5] << 8) | wire[6];
}

/** Timestamp of such a message, ms. */
export function wireTimestamp(wire: Uint8Array): number {
  const time = (wire[1] << 16) | (wire[2] << 8) | wire[3];
  return time < EXTENDED ? time : readU32(wire, HEADER_SIZE);
}

/**
 * Copies the payload of such a message, whose chunks have `chunkSize` bytes, into `target` at `at`;
 * returns the position after it.
 */
export function copyWirePayload(
  wire: Uint8Array,
  chunkSize: number,
  target: Uint8Array,
  at: number,
): number {
  const extended = wireTimestamp(wire) >= EXTENDED ? 4 : 0;
  const end = at + wireLength(wire);
  for (let from = HEADER_SIZE + extended; at < end; from += chunkSize + 1 + extended) {
    const piece = wire.subarray(from, from + Math.min(chunkSize, end - at));
    target.set(piece, at);
    at += piece.length;
  }
  return end;
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Gathers messages, to be sent in one write. */
export class MessageWriter {
  /** Outgoing chunk size, bytes; it is up to the caller to announce a change first. */
  chunkSize = DEFAULT_CHUNK_SIZE;
  #buffer = NO_BYTES;
  #length = 0;

  /** Bytes gathered so far. */
  get length(): number {
    return this.#length;
  }

  /** Adds a message. */
  write(
    chunkStream: number,
    type: number,
    timestamp: number,
    streamId: number,
    payload: Uint8Array,
  ): void {
    const wanted = this.#length + wireSize(payload.length, timestamp, this.chunkSize);
    if (wanted > this.#buffer.length) {
      const grown = new Uint8Array(
        Math.max(wanted, CHUNK_WRITER_INITIAL_BYTES, 2 * this.#buffer.length),
      );
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#length = writeMessage(
      this.#buffer,
      this.#length,
      chunkStream,
      type,
      timestamp,
      streamId,
      payload,
      this.chunkSize,
    );
  }

  /** What was gathered, in memory of its own: a socket may keep it. Starts with an empty buffer. */
  take(): Uint8Array {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = NO_BYTES;
    this.#length = 0;
    return bytes;
  }
}
