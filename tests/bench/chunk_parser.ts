/**
 * Reads RTMP chunks as cheaply as a load client must: headers are parsed, payloads skipped, and of a
 * media message only the first bytes are kept.
 * @module
 */
import { AUDIO, HEAD_BYTES, VIDEO } from "./stream.ts";

/** Longest chunk header: 3 bytes of basic header, 11 of message header, 4 of extended timestamp. */
export const MAX_HEADER_BYTES = 18;
/** Bytes of a message header by the format in the top two bits of its first byte. */
const MESSAGE_HEADER_BYTES = [11, 7, 3, 0];
/** Timestamp that says: the real one follows. */
const EXTENDED = 0xffffff;
/** Chunk size until a peer announces another. */
const DEFAULT_CHUNK_BYTES = 128;

/** What is known of one chunk stream, and the message that is coming in on it. */
export class IncomingMessage {
  type = 0;
  length = 0;
  /** Payload bytes still to come; 0 between messages. */
  left = 0;
  /** The first bytes of the payload. */
  readonly head = new Uint8Array(HEAD_BYTES);
  /** The whole payload, for messages that are not media. */
  body: Uint8Array | null = null;
  extended = false;
}

/** What a parser tells. */
export interface ParserHandler {
  /** The first bytes of a media message's payload are there. */
  onHead(message: IncomingMessage): void;
  /** A message is complete. Its fields are lent for the time of the call. */
  onMessage(message: IncomingMessage): void;
}

/** The chunk streams of one connection. */
export class ChunkParser {
  chunkBytes = DEFAULT_CHUNK_BYTES;
  readonly #handler: ParserHandler;
  readonly #messages: IncomingMessage[] = [];
  #current: IncomingMessage | null = null;
  #chunkLeft = 0;
  /** The start of a header whose end has not come yet. */
  readonly #stash = new Uint8Array(MAX_HEADER_BYTES);
  #stashed = 0;

  constructor(handler: ParserHandler) {
    this.#handler = handler;
  }

  /**
   * Takes the bytes of `buffer` from `start` to `end`. There must be `MAX_HEADER_BYTES` of room before
   * `start`, which are overwritten.
   */
  push(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (this.#stashed > 0) buffer[--at] = this.#stash[--this.#stashed];
    while (at < end) {
      if (this.#chunkLeft === 0) {
        const next = this.#header(buffer, at, end);
        if (next < 0) {
          while (at < end) this.#stash[this.#stashed++] = buffer[at++];
          return;
        }
        at = next;
      }
      at = this.#payload(buffer, at, end);
    }
  }

  /** Parses a header and returns where it ends; negative when there is only a part of it. */
  #header(buffer: Uint8Array, start: number, end: number): number {
    let at = start;
    const format = buffer[at] >> 6;
    let id = buffer[at++] & 0x3f;
    if (id < 2) {
      const more = id + 1;
      if (at + more > end) return -1;
      id = 64 + buffer[at] + (more === 2 ? buffer[at + 1] * 256 : 0);
      at += more;
    }
    const size = MESSAGE_HEADER_BYTES[format];
    if (at + size > end) return -1;
    const message = this.#messages[id] ??= new IncomingMessage();
    const extended = size === 0
      ? message.extended
      : (buffer[at] << 16 | buffer[at + 1] << 8 | buffer[at + 2]) === EXTENDED;
    if (extended && at + size + 4 > end) return -1;
    message.extended = extended;
    if (size >= 7) {
      message.length = buffer[at + 3] << 16 | buffer[at + 4] << 8 | buffer[at + 5];
      message.type = buffer[at + 6];
    }
    at += size + (extended ? 4 : 0);
    if (message.left === 0) {
      message.left = message.length;
      const isMedia = message.type === AUDIO || message.type === VIDEO;
      message.body = isMedia ? null : new Uint8Array(message.length);
    }
    this.#current = message;
    this.#chunkLeft = Math.min(this.chunkBytes, message.left);
    return at;
  }

  #payload(buffer: Uint8Array, start: number, end: number): number {
    const message = this.#current;
    if (!message) return end;
    const count = Math.min(this.#chunkLeft, end - start);
    const done = message.length - message.left;
    if (message.body) {
      message.body.set(buffer.subarray(start, start + count), done);
    } else if (done < HEAD_BYTES) {
      const { head } = message;
      const until = Math.min(HEAD_BYTES, done + count);
      for (let i = done; i < until; i++) head[i] = buffer[start + i - done];
      if (until === HEAD_BYTES) this.#handler.onHead(message);
    }
    this.#chunkLeft -= count;
    message.left -= count;
    if (message.left === 0) this.#handler.onMessage(message);
    return start + count;
  }
}
