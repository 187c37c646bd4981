/**
 * Reads requests from a connection's bytes, one after another (RFC 9112). Bytes in, requests out; all that
 * is kept is bounded.
 * @module
 */

import { MAX_BODY_BYTES, MAX_CHUNK_LINE_BYTES, MAX_HEAD_BYTES } from "./limits.ts";
import { BadRequest, parseRequestHead, type RequestHead } from "./request_head.ts";

const CR = 13;
const LF = 10;

/** A method's first character is between these two (RFC 9110 §5.6.2). */
const FIRST_TOKEN_BYTE = "!".charCodeAt(0);
const LAST_TOKEN_BYTE = "~".charCodeAt(0);
/** First byte of a TLS ClientHello's record (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 0x16;
/** First byte of an RTMP client: C0, version 3. */
const RTMP_VERSION = 3;

/** A request that is complete. */
export interface HttpRequest {
  readonly head: RequestHead;
  /** Empty: it has none. */
  readonly body: Uint8Array;
}

/** What is expected next. */
type State = "head" | "body" | "chunk size" | "chunk" | "chunk end" | "trailer";

/** Collects what comes, and gives requests in order. */
export class RequestReader {
  #bytes = new Uint8Array(0);
  /** Up to here no end of a head has been found. */
  #searched = 0;
  #state: State = "head";
  #head: RequestHead | null = null;
  readonly #body: Uint8Array[] = [];
  #bodyBytes = 0;
  #chunkLeft = 0;

  /** Bytes that have come and belong to no request yet. */
  get waitingBytes(): number {
    return this.#bytes.length;
  }

  /** Part of a request has come. */
  get midway(): boolean {
    return this.#state !== "head" || this.#bytes.length > 0;
  }

  /** The client waits for "100 Continue" before it sends what is missing; once for each request. */
  awaitsContinue = false;

  /** Adds bytes, which are copied. */
  push(bytes: Uint8Array): void {
    if (this.#bytes.length === 0) {
      this.#bytes = bytes.slice();
      return;
    }
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    this.#bytes = all;
  }

  /** What has come behind the last request: belongs to the protocol that it has changed to. */
  takeRest(): Uint8Array {
    const rest = this.#bytes;
    this.#bytes = new Uint8Array(0);
    return rest;
  }

  /**
   * The next request; null: not all of it has come.
   * @throws BadRequest; the connection cannot be used after that.
   */
  next(): HttpRequest | null {
    for (;;) {
      switch (this.#state) {
        case "head":
          if (!this.#readHead()) return null;
          break;
        case "body":
          if (!this.#readBody()) return null;
          return this.#finish();
        case "chunk size":
          if (!this.#readChunkSize()) return null;
          break;
        case "chunk":
          if (!this.#readBody()) return null;
          this.#state = "chunk end";
          break;
        case "chunk end": {
          const line = this.#line(MAX_CHUNK_LINE_BYTES);
          if (line === null) return null;
          if (line !== "") throw new BadRequest(400, "a chunk is longer than it says");
          this.#state = "chunk size";
          break;
        }
        case "trailer": {
          const line = this.#line(MAX_CHUNK_LINE_BYTES);
          if (line === null) return null;
          if (line === "") return this.#finish();
        }
      }
    }
  }

  #readHead(): boolean {
    // A client may end the body before with a line feed more (RFC 9112 §2.2).
    if (this.#bytes[0] === CR && this.#bytes[1] === LF) this.#drop(2);
    this.#checkStart();
    const end = this.#headEnd();
    if (end < 0) {
      if (this.#bytes.length > MAX_HEAD_BYTES) throw headTooLong();
      return false;
    }
    if (end > MAX_HEAD_BYTES) throw headTooLong();
    const head = parseRequestHead(characters(this.#bytes.subarray(0, end)));
    this.#drop(end + 4);
    this.#head = head;
    if (head.bodyBytes === null) this.#state = "chunk size";
    else {
      if (head.bodyBytes > MAX_BODY_BYTES) throw bodyTooLong();
      this.#state = "body";
      this.#chunkLeft = head.bodyBytes;
    }
    this.awaitsContinue = head.expectsContinue && this.#bytes.length === 0 && head.bodyBytes !== 0;
    return true;
  }

  /** Bytes of another protocol are refused at once: their end of a head may never come. */
  #checkStart(): void {
    const bytes = this.#bytes;
    if (this.#searched > 0 || bytes.length === 0) return;
    if (bytes[0] === CR && bytes.length === 1) return;
    if (bytes[0] >= FIRST_TOKEN_BYTE && bytes[0] <= LAST_TOKEN_BYTE) return;
    if (bytes[0] === TLS_HANDSHAKE) throw new BadRequest(400, "this port speaks HTTP without TLS");
    if (bytes[0] === RTMP_VERSION) throw new BadRequest(400, "this port speaks HTTP, not RTMP");
    throw new BadRequest(400, "the first byte is not that of a request");
  }

  /** Index of the empty line at the end of a head; -1: it has not come. Line feeds alone are refused. */
  #headEnd(): number {
    const bytes = this.#bytes;
    let at = this.#searched;
    for (; at < bytes.length; at++) {
      if (bytes[at] !== LF) continue;
      if (at === 0 || bytes[at - 1] !== CR) {
        throw new BadRequest(400, "a line ends without a carriage return");
      }
      if (at >= 3 && bytes[at - 2] === LF && bytes[at - 3] === CR) return at - 3;
    }
    this.#searched = at;
    return -1;
  }

  #readChunkSize(): boolean {
    const line = this.#line(MAX_CHUNK_LINE_BYTES);
    if (line === null) return false;
    const size = /^([0-9a-f]{1,8})[ \t]*(;|$)/i.exec(line);
    if (!size) throw new BadRequest(400, "a chunk has no size");
    this.#chunkLeft = parseInt(size[1], 16);
    if (this.#bodyBytes + this.#chunkLeft > MAX_BODY_BYTES) throw bodyTooLong();
    this.#state = this.#chunkLeft === 0 ? "trailer" : "chunk";
    return true;
  }

  /** Takes what has come of the body or chunk; whether that was all. */
  #readBody(): boolean {
    const part = this.#bytes.slice(0, this.#chunkLeft);
    if (part.length > 0) this.#body.push(part);
    this.#bodyBytes += part.length;
    this.#chunkLeft -= part.length;
    this.#drop(part.length);
    return this.#chunkLeft === 0;
  }

  #finish(): HttpRequest | null {
    const head = this.#head;
    if (!head) return null;
    const body = new Uint8Array(this.#bodyBytes);
    let at = 0;
    for (const part of this.#body.splice(0)) {
      body.set(part, at);
      at += part.length;
    }
    this.#head = null;
    this.#bodyBytes = 0;
    this.#state = "head";
    this.awaitsContinue = false;
    return { head, body };
  }

  /** The next line of a chunked body; null: it has not come. */
  #line(limit: number): string | null {
    const end = this.#bytes.indexOf(LF);
    if (end < 0) {
      if (this.#bytes.length > limit) throw new BadRequest(400, "a line of the body is too long");
      return null;
    }
    if (end > limit || end === 0 || this.#bytes[end - 1] !== CR) {
      throw new BadRequest(400, "a line of the body has no end, or is too long");
    }
    const line = characters(this.#bytes.subarray(0, end - 1));
    this.#drop(end + 1);
    return line;
  }

  #drop(count: number): void {
    this.#searched = 0;
    this.#bytes = this.#bytes.subarray(count);
  }
}

function headTooLong(): BadRequest {
  return new BadRequest(431, `the head is longer than ${MAX_HEAD_BYTES} bytes`);
}

function bodyTooLong(): BadRequest {
  return new BadRequest(413, `the body is longer than ${MAX_BODY_BYTES} bytes`);
}

/** Characters at a time: a call takes no more arguments than the stack has room for. */
const CHARACTERS = 4096;

/** One character for each byte. `TextDecoder` knows Windows' table under the name of Latin-1. */
function characters(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHARACTERS) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS));
  }
  return text;
}
