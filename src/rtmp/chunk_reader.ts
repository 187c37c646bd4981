/**
 * The chunk stream, incoming (RTMP 1.0 §5.3): bytes in, messages out.
 *
 *     chunk = basic header (1-3) + message header (fmt 0: 11, 1: 7, 2: 3, 3: 0) + extended timestamp (0/4) + data
 *
 * Pull style: `push` hands over what came from the socket, then `next` is called until it says false.
 * One message at a time, because a Set Chunk Size changes how the bytes after it are to be read. The
 * result does not depend on how the input was cut, and a payload that arrived in one piece is not
 * copied.
 * @module
 */

import {
  GROWTH_BYTES,
  KEPT_BUFFER_BYTES,
  MAX_CHUNK_STREAMS,
  MAX_MESSAGE_SIZE,
  MAX_PARTIAL_BYTES,
  MIN_BUFFER_BYTES,
  RESERVE_FROM_BYTES,
} from "./limits.ts";
import { ErrorCode, RtmpError } from "./error.ts";
import { freeLarge, growLarge, reserveLarge } from "./large_buffer.ts";
import { ChunkStream, controlValue, type Message, MessageType, readU32 } from "./message.ts";

/** Chunk size of either side until it announces another (RTMP 1.0 §5.4.1). */
export const DEFAULT_CHUNK_SIZE = 128;
/** Smallest chunk size accepted from a peer: the standard's (SRS refuses less than 128). */
const MIN_CHUNK_SIZE = 1;
/** What OBS had announced before it reconnected, and still uses (Q14). */
const STALE_CHUNK_SIZE = 4096;
/** How a connect command begins: an AMF0 string (02), 7 bytes long. */
const CONNECT_BEGIN = [0x02, 0x00, 0x07, ...new TextEncoder().encode("connect")];

const EXTENDED = 0xffffff;
const TIME_MASK = 0x7fffffff;
/** Message header bytes by fmt. */
const MESSAGE_HEADER_SIZE = [11, 7, 3, 0];
/** Basic header 3 + message header 11 + extended timestamp 4. */
const MAX_HEADER_SIZE = 18;

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** What must be remembered of a chunk stream between its chunks. */
class ChunkStreamState {
  constructor(readonly id: number) {}
  timestamp = 0;
  delta = 0;
  length = 0;
  type = 0;
  streamId = 0;
  /** The last header had the extended timestamp field, with this value. */
  extended = false;
  extendedValue = 0;
  /** The unfinished message: its first `have` bytes. */
  buffer: Uint8Array = NO_BYTES;
  have = 0;
  /** `buffer`, if it is one of `reserveLarge`. */
  large: Uint8Array<ArrayBuffer> | null = null;
}

const enum Phase {
  HEADER,
  SNIFF,
  DATA,
}

/** Reads a peer's chunk stream. */
export class ChunkReader {
  /** The message that `next` has found. The object is reused, its payload is borrowed. */
  readonly message: Message = { type: 0, timestamp: 0, streamId: 0, payload: NO_BYTES };
  /** Messages longer than this (bytes) are refused when they are announced. */
  maxMessageSize = MAX_MESSAGE_SIZE;

  #chunkSize = DEFAULT_CHUNK_SIZE;
  #input = NO_BYTES;
  #position = 0;
  #phase = Phase.HEADER;
  readonly #streams = new Map<number, ChunkStreamState>();
  #current = new ChunkStreamState(0);
  /** Bytes of the current chunk's data still to come. */
  #chunkLeft = 0;
  /** The first bytes of a header whose end has not arrived. */
  readonly #header = new Uint8Array(MAX_HEADER_SIZE);
  #headerHave = 0;
  #sniffed = 0;
  /** Whether this peer repeats the extended timestamp in type-3 chunks (Q1, Q2); null: not seen yet. */
  #repeatsExtended: boolean | null = null;
  /** No message has come yet. */
  #fresh = true;
  #partialBytes = 0;
  #allocatedBytes = 0;
  /** The buffer of the message that `next` has returned, if it is not needed after that. */
  #spent: Uint8Array = NO_BYTES;

  /** The peer's current chunk size, bytes. */
  get chunkSize(): number {
    return this.#chunkSize;
  }

  /** Bytes of unfinished messages held now. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  /** Bytes of memory held for messages, unfinished ones and those to come. */
  get allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  /** Gives all memory back; the reader is of no use after that. */
  end(): void {
    this.#freeSpent();
    for (const stream of this.#streams.values()) this.#release(stream);
    this.#streams.clear();
  }

  /** Hands over the next bytes; all earlier ones must have been used up by `next`. */
  push(bytes: Uint8Array): void {
    this.#input = bytes;
    this.#position = 0;
  }

  /** What was pushed and has not been used up; borrowed, as it was. */
  get rest(): Uint8Array {
    return this.#input.subarray(this.#position);
  }

  /**
   * Moves on to the next message; false when more bytes are needed. Set Chunk Size and Abort have
   * taken effect when they are returned.
   * @throws {RtmpError} when the peer breaks the protocol; the reader is of no use after that.
   */
  next(): boolean {
    if (this.#spent.length > 0) this.#freeSpent();
    for (;;) {
      if (this.#fresh && this.#phase === Phase.HEADER) this.#recogniseStaleChunkSize();
      if (this.#phase === Phase.HEADER && !this.#readHeader()) return false;
      if (this.#phase === Phase.SNIFF && !this.#sniffExtended()) return false;
      if (this.#phase !== Phase.DATA) continue;
      if (!this.#readData()) {
        if (this.#position >= this.#input.length) return false;
        continue;
      }
      this.#applyControl();
      return true;
    }
  }

  /**
   * Old OBS versions reconnect with the chunk size of the connection before (Q14): where the header of
   * the second chunk of `connect` should be, that command continues.
   */
  #recogniseStaleChunkSize(): void {
    const { id, buffer, have, length } = this.#current;
    if (have !== DEFAULT_CHUNK_SIZE || this.#chunkSize !== DEFAULT_CHUNK_SIZE) return;
    if (id !== ChunkStream.COMMAND || !CONNECT_BEGIN.every((byte, i) => buffer[i] === byte)) return;
    if (this.#headerHave > 0 || this.#position >= this.#input.length) return;
    const next = this.#input[this.#position];
    if (next === (0xc0 | id) || next === ChunkStream.CONTROL) return;
    this.#chunkSize = STALE_CHUNK_SIZE;
    this.#chunkLeft = Math.min(STALE_CHUNK_SIZE, length) - have;
    this.#phase = Phase.DATA;
  }

  /** Collects one header, from the input in place when it is all there, and applies it. */
  #readHeader(): boolean {
    if (this.#headerHave === 0 && this.#input.length - this.#position >= MAX_HEADER_SIZE) {
      const size = this.#headerSize(this.#input, this.#position, MAX_HEADER_SIZE);
      this.#applyHeader(this.#input, this.#position);
      this.#position += size;
      return true;
    }
    for (;;) {
      const size = this.#headerSize(this.#header, 0, this.#headerHave);
      if (this.#headerHave === size) break;
      if (this.#position >= this.#input.length) return false;
      this.#header[this.#headerHave++] = this.#input[this.#position++];
    }
    this.#headerHave = 0;
    this.#applyHeader(this.#header, 0);
    return true;
  }

  /** How long the header is, as far as its first `have` bytes tell. */
  #headerSize(bytes: Uint8Array, at: number, have: number): number {
    if (have < 1) return 1;
    const fmt = bytes[at] >> 6;
    const basic = basicHeaderSize(bytes[at]);
    const size = basic + MESSAGE_HEADER_SIZE[fmt];
    if (have < size) return size;
    if (fmt < 3) return readU24(bytes, at + basic) === EXTENDED ? size + 4 : size;
    const stream = this.#streams.get(chunkStreamId(bytes, at));
    // Only a new message is sure to have the field; in a continuation it has to be sniffed.
    return stream?.extended && stream.have === 0 ? size + 4 : size;
  }

  #applyHeader(bytes: Uint8Array, at: number): void {
    const fmt = bytes[at] >> 6;
    const id = chunkStreamId(bytes, at);
    const stream = this.#streams.get(id) ?? this.#open(id, fmt);
    const body = at + basicHeaderSize(bytes[at]);
    this.#current = stream;

    if (stream.have > 0) this.#checkContinuation(stream, fmt, bytes, body);
    else this.#startMessage(stream, fmt, bytes, body);

    this.#chunkLeft = Math.min(this.#chunkSize, stream.length - stream.have);
    // An empty message is dropped, but its header counts.
    if (stream.length === 0) return;
    this.#sniffed = 0;
    this.#phase = fmt === 3 && stream.extended && stream.have > 0 ? Phase.SNIFF : Phase.DATA;
  }

  #open(id: number, fmt: number): ChunkStreamState {
    // librtmp starts with a type-1 ping (Q7); types 2 and 3 would need a length that we do not know.
    if (fmt > 1) {
      throw new RtmpError(
        ErrorCode.CHUNK_START,
        `chunk stream ${id} starts with a type-${fmt} header, type 0 expected`,
      );
    }
    if (this.#streams.size >= MAX_CHUNK_STREAMS) this.#forgetIdle();
    const stream = new ChunkStreamState(id);
    this.#streams.set(id, stream);
    return stream;
  }

  #forgetIdle(): void {
    for (const [id, stream] of this.#streams) {
      if (stream.have > 0) continue;
      this.#release(stream);
      this.#streams.delete(id);
      return;
    }
    throw new RtmpError(
      ErrorCode.LIMIT,
      `${MAX_CHUNK_STREAMS} chunk streams in the middle of a message, no more allowed`,
    );
  }

  #checkContinuation(stream: ChunkStreamState, fmt: number, bytes: Uint8Array, body: number): void {
    if (fmt === 0) {
      throw new RtmpError(ErrorCode.CHUNK_START, "type-0 header in the middle of a message");
    }
    if (fmt === 1 && readU24(bytes, body + 3) !== stream.length) {
      throw new RtmpError(
        ErrorCode.PACKET_SIZE,
        `message length changes from ${stream.length} to ${
          readU24(bytes, body + 3)
        } bytes in mid-message`,
      );
    }
  }

  #startMessage(stream: ChunkStreamState, fmt: number, bytes: Uint8Array, body: number): void {
    if (fmt < 3) {
      stream.delta = readU24(bytes, body);
      stream.extended = stream.delta === EXTENDED;
    }
    if (stream.extended) {
      // Absolute for every fmt, as SRS takes it: a delta of 4.6 hours exists only in the standard.
      stream.extendedValue = readU32(bytes, body + MESSAGE_HEADER_SIZE[fmt]);
      stream.timestamp = stream.extendedValue & TIME_MASK;
    } else {
      // After a type-0 header its timestamp is the delta of a type-3 one that follows (Q6).
      stream.timestamp = ((fmt === 0 ? 0 : stream.timestamp) + stream.delta) & TIME_MASK;
    }
    if (fmt < 2) {
      stream.length = readU24(bytes, body + 3);
      stream.type = bytes[body + 6];
    }
    if (fmt === 0) stream.streamId = readU32LittleEndian(bytes, body + 7);
    if (stream.length > this.maxMessageSize) {
      throw new RtmpError(
        ErrorCode.LIMIT,
        `message of ${stream.length} bytes, at most ${this.maxMessageSize} allowed here`,
      );
    }
  }

  /**
   * Decides whether a type-3 continuation repeats the extended timestamp: it does if the next four
   * bytes equal it. False: more bytes are needed to tell.
   */
  #sniffExtended(): boolean {
    const stream = this.#current;
    if (this.#sniffed === 0 && this.#chunkLeft < 4 && this.#repeatsExtended === false) {
      // Waiting for four bytes could wait for ever here: the message may end before them.
      this.#phase = Phase.DATA;
      return true;
    }
    while (this.#sniffed < 4) {
      if (this.#position >= this.#input.length) return false;
      const expected = (stream.extendedValue >>> (24 - 8 * this.#sniffed)) & 0xff;
      if (this.#input[this.#position] !== expected) {
        this.#repeatsExtended = false;
        this.#returnSniffed();
        return true;
      }
      this.#position++;
      this.#sniffed++;
    }
    this.#repeatsExtended = true;
    this.#phase = Phase.DATA;
    return true;
  }

  /**
   * The sniffed bytes were data after all, and behind a short chunk's data headers too: read them
   * again.
   */
  #returnSniffed(): void {
    this.#phase = Phase.DATA;
    if (this.#position >= this.#sniffed) {
      this.#position -= this.#sniffed;
      return;
    }
    // Some came with an earlier piece of input.
    const rest = this.#input.subarray(this.#position);
    const joined = new Uint8Array(this.#sniffed + rest.length);
    const field = this.#current.extendedValue;
    for (let i = 0; i < this.#sniffed; i++) joined[i] = field >>> (24 - 8 * i);
    joined.set(rest, this.#sniffed);
    this.push(joined);
  }

  /** Takes data of the current chunk; true when that completes a message. */
  #readData(): boolean {
    const stream = this.#current;
    const available = this.#input.length - this.#position;
    if (stream.have === 0 && this.#chunkLeft === stream.length && available >= stream.length) {
      const end = this.#position + stream.length;
      this.#checkPartial(stream.length);
      this.#deliver(stream, this.#input.subarray(this.#position, end));
      this.#position = end;
      return true;
    }
    const take = Math.min(available, this.#chunkLeft);
    this.#append(stream, this.#input, this.#position, take);
    this.#position += take;
    if (this.#chunkLeft > 0) return false;
    this.#phase = Phase.HEADER;
    if (stream.have < stream.length) return false;

    this.#deliver(stream, stream.buffer.subarray(0, stream.length));
    this.#partialBytes -= stream.length;
    stream.have = 0;
    if (this.#allocatedBytes > KEPT_BUFFER_BYTES) {
      this.#spent = stream.buffer;
      this.#forget(stream);
    }
    return true;
  }

  #append(stream: ChunkStreamState, source: Uint8Array, at: number, count: number): void {
    if (count === 0) return;
    this.#checkPartial(count);
    this.#partialBytes += count;
    const wanted = stream.have + count;
    if (wanted > stream.buffer.length) {
      // Grows with what has arrived; the announced length is a promise that the peer need not keep (H1).
      const before = stream.buffer.length;
      this.#grow(stream, wanted);
      this.#allocatedBytes += stream.buffer.length - before;
    }
    stream.buffer.set(source.subarray(at, at + count), stream.have);
    stream.have += count;
    this.#chunkLeft -= count;
  }

  /** Makes room for the first `wanted` bytes of the unfinished message. */
  #grow(stream: ChunkStreamState, wanted: number): void {
    const { buffer, length, have } = stream;
    const isLarge = length > KEPT_BUFFER_BYTES && wanted > RESERVE_FROM_BYTES;
    if (isLarge && stream.large) {
      return growLarge(stream.large, Math.min(length, wanted + GROWTH_BYTES));
    }
    let grown: Uint8Array;
    if (isLarge) {
      grown = stream.large = reserveLarge(length);
      growLarge(stream.large, Math.min(length, wanted + GROWTH_BYTES));
    } else {
      const size = Math.max(wanted, MIN_BUFFER_BYTES, 2 * buffer.length);
      grown = new Uint8Array(Math.max(wanted, Math.min(size, length)));
    }
    grown.set(buffer.subarray(0, have));
    stream.buffer = grown;
  }

  /** Also for a message in one piece, which is not held: how it was cut must not matter. */
  #checkPartial(more: number): void {
    if (this.#partialBytes + more <= MAX_PARTIAL_BYTES) return;
    throw new RtmpError(
      ErrorCode.LIMIT,
      `unfinished messages add up to more than ${MAX_PARTIAL_BYTES} bytes`,
    );
  }

  #release(stream: ChunkStreamState): void {
    const { buffer } = stream;
    this.#forget(stream);
    freeLarge(buffer);
  }

  #forget(stream: ChunkStreamState): void {
    this.#allocatedBytes -= stream.buffer.length;
    stream.buffer = NO_BYTES;
    stream.large = null;
  }

  #freeSpent(): void {
    freeLarge(this.#spent);
    this.#spent = NO_BYTES;
  }

  #deliver(stream: ChunkStreamState, payload: Uint8Array): void {
    this.#phase = Phase.HEADER;
    this.#fresh = false;
    this.message.type = stream.type;
    this.message.timestamp = stream.timestamp;
    this.message.streamId = stream.streamId;
    this.message.payload = payload;
  }

  #applyControl(): void {
    if (this.message.type === MessageType.SET_CHUNK_SIZE) this.#setChunkSize();
    else if (this.message.type === MessageType.ABORT) this.#abort(controlValue(this.message));
  }

  #setChunkSize(): void {
    const size = controlValue(this.message);
    if (size < MIN_CHUNK_SIZE || size > 0x7fffffff) {
      throw new RtmpError(
        ErrorCode.CHUNK_SIZE,
        `chunk size ${size} is not allowed, at least ${MIN_CHUNK_SIZE} bytes expected`,
      );
    }
    this.#chunkSize = Math.min(size, MAX_MESSAGE_SIZE);
  }

  /** Abort: the unfinished message of a chunk stream is thrown away (RTMP 1.0 §5.4.2; SRS ignores it). */
  #abort(id: number): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#partialBytes -= stream.have;
    stream.have = 0;
    this.#release(stream);
  }
}

function basicHeaderSize(first: number): number {
  const low = first & 0x3f;
  return low === 0 ? 2 : low === 1 ? 3 : 1;
}

/** Ids 64 and up have 2- and 3-byte forms; the third byte is the high one (RTMP 1.0 §5.3.1.1). */
function chunkStreamId(bytes: Uint8Array, at: number): number {
  const low = bytes[at] & 0x3f;
  if (low === 0) return 64 + bytes[at + 1];
  if (low === 1) return 64 + bytes[at + 1] + 256 * bytes[at + 2];
  return low;
}

function readU24(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2];
}

/** The message stream id is the one little-endian field of RTMP. */
function readU32LittleEndian(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
