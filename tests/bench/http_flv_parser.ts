/**
 * Reads the answer to an HTTP-FLV request as cheaply as a load client must: chunk sizes, or the headers
 * of WebSocket frames, and tag headers are parsed, payloads skipped, and of a picture or audio frame only the first bytes are kept. Once the
 * answer's head is over, nothing is allocated.
 * @module
 */
import type { Media } from "./connection.ts";
import { AUDIO, HEAD_BYTES, VIDEO } from "./stream.ts";

/** Bytes of an answer's head at most; no server that is measured sends a tenth of it. */
const MAX_ANSWER_HEAD_BYTES = 8192;
/** Largest chunk that is believed: more is a lost way, not a chunk. */
const MAX_CHUNK_BYTES = 1 << 28;

const LF = 0x0a;
const CR = 0x0d;
const SEMICOLON = 0x3b;

/** FLV header, and the size of no tag before the first one (E.2, E.3). */
const SIGNATURE = [0x46, 0x4c, 0x56];
const FILE_HEADER_BYTES = 9 + 4;
/** Type, size (24 bits), timestamp (24 + 8 bits), stream id (24 bits); after the tag stands its size. */
const TAG_HEADER_BYTES = 11;
const TAG_SIZE_BYTES = 4;
const TYPE_BITS = 0x1f;
const DATA = 18;

/** Why an answer is of no use. */
export class AnswerError extends Error {
  override name = "AnswerError";
}

/** What a parser tells. */
export interface FlvHandler {
  /** The server has answered with 200. */
  onAnswer(): void;
  /** The first bytes of a media tag's payload are there. */
  onHead(media: Media): void;
  /** A media tag is complete. Its fields are lent for the time of the call. */
  onTag(media: Media): void;
}

/** What the FLV comes in: the chunked transfer coding (RFC 9112 §7.1), or frames (RFC 6455 §5.2). */
export type Framing = "chunks" | "frames";

/** Where the next byte stands. */
type Place = "head" | "size" | "extension" | "data" | "after data" | "frame" | "other frame";

/** Opcodes below this are data; pings, and the end, are not. */
const FIRST_CONTROL_OPCODE = 8;
const CLOSE = 8;

/** One answer: its head and its chunks, or frames. */
export class HttpFlvParser {
  readonly #handler: FlvHandler;
  readonly #tags: TagParser;
  #place: Place = "head";
  #head = "";
  /** Bytes of the chunk that are still to come, or what has been read of its size. */
  #left = 0;
  #hasDigits = false;
  readonly #framing: Framing;
  /** Bytes of the frame's header that have come, and that its length has beyond the second. */
  #frameDone = 0;
  #lengthBytes = 0;
  #opcode = 0;

  constructor(handler: FlvHandler, framing: Framing = "chunks") {
    this.#handler = handler;
    this.#framing = framing;
    this.#tags = new TagParser(handler);
  }

  /**
   * Takes the bytes of `buffer` from `start` to `end`.
   * @throws AnswerError when this is no HTTP-FLV in chunks, or its end. There is no going on then.
   */
  push(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#place === "data") {
        const until = Math.min(end, at + this.#left);
        this.#tags.push(buffer, at, until);
        this.#left -= until - at;
        at = until;
        if (this.#left === 0) this.#place = this.#framing === "chunks" ? "after data" : "frame";
      } else if (this.#place === "other frame") {
        const until = Math.min(end, at + this.#left);
        this.#left -= until - at;
        at = until;
        if (this.#left === 0) this.#place = "frame";
      } else this.#between(buffer[at++]);
    }
  }

  /** Takes a byte that is not of a chunk's data. */
  #between(byte: number): void {
    switch (this.#place) {
      case "head":
        this.#head += String.fromCharCode(byte);
        if (byte === LF && this.#head.endsWith("\r\n\r\n")) this.#answered();
        else if (this.#head.length > MAX_ANSWER_HEAD_BYTES) {
          throw new AnswerError("the head of the answer does not end");
        }
        break;
      case "size":
        if (byte === LF) this.#begin();
        else if (byte === SEMICOLON) this.#place = "extension";
        else if (byte !== CR) this.#digit(byte);
        break;
      case "extension":
        if (byte === LF) this.#begin();
        break;
      case "frame":
        this.#frameHeader(byte);
        break;
      case "after data":
        if (byte === LF) this.#place = "size";
        else if (byte !== CR) throw new AnswerError("a chunk is longer than it says");
    }
  }

  #answered(): void {
    const [status] = this.#head.split("\r\n", 1);
    const code = this.#framing === "chunks" ? "200" : "101";
    if (!status.startsWith(`HTTP/1.1 ${code}`)) throw new AnswerError(status);
    if (this.#framing === "chunks" && !/\r\nTransfer-Encoding: *chunked\r\n/i.test(this.#head)) {
      throw new AnswerError("the answer does not come in chunks");
    }
    this.#head = "";
    this.#place = this.#framing === "chunks" ? "size" : "frame";
    this.#handler.onAnswer();
  }

  /** Opcode (4 bits), length (7 bits, 126: 2 bytes follow, 127: 8); a server does not mask. */
  #frameHeader(byte: number): void {
    if (this.#frameDone === 0) this.#opcode = byte & 0x0f;
    else if (this.#frameDone === 1) {
      if (byte > 127) throw new AnswerError("a frame is masked");
      this.#lengthBytes = byte === 126 ? 2 : byte === 127 ? 8 : 0;
      this.#left = this.#lengthBytes === 0 ? byte : 0;
    } else this.#left = this.#left * 256 + byte;
    if (++this.#frameDone < 2 + this.#lengthBytes || this.#frameDone < 2) return;
    this.#frameDone = 0;
    if (this.#left > MAX_CHUNK_BYTES) throw new AnswerError("a frame has no proper size");
    if (this.#opcode === CLOSE) throw new AnswerError("the server has ended the answer");
    if (this.#left > 0) {
      this.#place = this.#opcode < FIRST_CONTROL_OPCODE ? "data" : "other frame";
    }
  }

  #digit(byte: number): void {
    // 0-9, A-F, a-f
    const letter = byte & ~0x20;
    const digit = byte >= 0x30 && byte <= 0x39
      ? byte - 0x30
      : letter >= 0x41 && letter <= 0x46
      ? letter - 0x41 + 10
      : NaN;
    this.#left = this.#left * 16 + digit;
    this.#hasDigits = true;
    if (!(this.#left <= MAX_CHUNK_BYTES)) throw new AnswerError("a chunk has no proper size");
  }

  #begin(): void {
    if (!this.#hasDigits) throw new AnswerError("a chunk has no proper size");
    if (this.#left === 0) throw new AnswerError("the server has ended the answer");
    this.#hasDigits = false;
    this.#place = "data";
  }
}

/** The tag that is coming in. */
class IncomingTag implements Media {
  type = 0;
  readonly head = new Uint8Array(HEAD_BYTES);
}

/** The FLV inside an answer. */
class TagParser {
  readonly #handler: FlvHandler;
  readonly #tag = new IncomingTag();
  /** Bytes of file header, or tag (with header and size after it), that have come. */
  #done = 0;
  #isFileHeader = true;
  /** Payload bytes of the tag. */
  #length = 0;
  #sizeAfter = 0;

  constructor(handler: FlvHandler) {
    this.#handler = handler;
  }

  push(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#isFileHeader) this.#fileHeader(buffer[at++]);
      else if (this.#done < TAG_HEADER_BYTES) this.#tagHeader(buffer[at++]);
      else if (this.#done < TAG_HEADER_BYTES + this.#length) at = this.#payload(buffer, at, end);
      else this.#after(buffer[at++]);
    }
  }

  #fileHeader(byte: number): void {
    if (this.#done < SIGNATURE.length && byte !== SIGNATURE[this.#done]) {
      throw new AnswerError("the answer is no FLV");
    }
    if (++this.#done < FILE_HEADER_BYTES) return;
    this.#isFileHeader = false;
    this.#done = 0;
  }

  #tagHeader(byte: number): void {
    if (this.#done === 0) {
      const type = byte & TYPE_BITS;
      if (type !== AUDIO && type !== VIDEO && type !== DATA) {
        throw new AnswerError(`no tag is of type ${type}`);
      }
      this.#tag.type = type;
      this.#length = 0;
    } else if (this.#done <= 3) this.#length = this.#length << 8 | byte;
    this.#done++;
    this.#sizeAfter = 0;
  }

  #payload(buffer: Uint8Array, start: number, end: number): number {
    const done = this.#done - TAG_HEADER_BYTES;
    const count = Math.min(this.#length - done, end - start);
    if (done < HEAD_BYTES) {
      const { head } = this.#tag;
      const until = Math.min(HEAD_BYTES, done + count);
      for (let i = done; i < until; i++) head[i] = buffer[start + i - done];
      if (until === HEAD_BYTES && this.#isMedia) this.#handler.onHead(this.#tag);
    }
    this.#done += count;
    if (done + count === this.#length && this.#isMedia) this.#handler.onTag(this.#tag);
    return start + count;
  }

  #after(byte: number): void {
    this.#sizeAfter = this.#sizeAfter << 8 | byte;
    const size = TAG_HEADER_BYTES + this.#length;
    if (++this.#done < size + TAG_SIZE_BYTES) return;
    if (this.#sizeAfter !== size) throw new AnswerError("a tag is not as long as it says");
    this.#done = 0;
  }

  get #isMedia(): boolean {
    return this.#tag.type !== DATA;
  }
}
