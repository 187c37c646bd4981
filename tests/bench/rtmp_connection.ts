/**
 * One RTMP connection of the load client: handshake, connect, createStream, then play or publish.
 * @module
 */
import { type Amf, encodeAmf } from "../tools/raw_client.ts";
import { ChunkParser, type IncomingMessage, type ParserHandler } from "./chunk_parser.ts";
import { APP, Connection } from "./connection.ts";
import { AUDIO, chunked, SEND_CHUNK_BYTES, VIDEO } from "./stream.ts";

const SET_CHUNK_SIZE = 1;
const USER_CONTROL = 4;
const COMMAND = 20;
const PING_REQUEST = 6;
const PING_RESPONSE = 7;

const HANDSHAKE_BYTES = 1536;
const VERSION = 3;

/** Message stream id; every server numbers its first stream so. */
const STREAM_ID = 1;
/** What a floor sends in: it answers nothing, so nothing can be announced. */
const RAW_CHUNK_BYTES = SEND_CHUNK_BYTES;

/** An RTMP connection, or one of media alone. */
export class RtmpConnection extends Connection implements ParserHandler {
  readonly #parser = new ChunkParser(this);
  /** The server's part of the handshake; null when it is over. */
  #handshake: Uint8Array<ArrayBuffer> | null = new Uint8Array(1 + 2 * HANDSHAKE_BYTES);
  #handshakeBytes = 0;

  onBytes(buffer: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    if (this.#handshake) start = this.#shakeHands(this.#handshake, buffer, start, end);
    if (start < end) this.#parser.push(buffer, start, end);
  }

  protected open(): void {
    if (!this.goal.raw) {
      return this.send(Uint8Array.from([VERSION, ...new Array(HANDSHAKE_BYTES).fill(0)]));
    }
    this.#handshake = null;
    this.#parser.chunkBytes = RAW_CHUNK_BYTES;
    this.accept();
  }

  /** `ParserHandler` */
  onHead(message: IncomingMessage): void {
    this.owner.onMediaHead(this, message);
  }

  /** `ParserHandler` */
  onMessage(message: IncomingMessage): void {
    const { type, body } = message;
    if (type === VIDEO || type === AUDIO) this.owner.onMedia(this, message);
    else if (!body) return;
    else if (type === COMMAND) this.#command(body);
    else if (type === SET_CHUNK_SIZE) this.#parser.chunkBytes = u32(body, 0);
    else if (type === USER_CONTROL && body[1] === PING_REQUEST) {
      const answer = body.slice();
      answer[1] = PING_RESPONSE;
      this.send(chunked(2, USER_CONTROL, 0, answer));
    }
  }

  /** Takes S0, S1 and S2 and returns where they end. */
  #shakeHands(
    answer: Uint8Array<ArrayBuffer>,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): number {
    const count = Math.min(end - start, answer.length - this.#handshakeBytes);
    answer.set(buffer.subarray(start, start + count), this.#handshakeBytes);
    this.#handshakeBytes += count;
    if (this.#handshakeBytes < answer.length) return end;
    this.#handshake = null;
    this.send(answer.slice(1, 1 + HANDSHAKE_BYTES));
    this.send(chunked(2, SET_CHUNK_SIZE, 0, u32Bytes(SEND_CHUNK_BYTES)));
    const tcUrl = `rtmp://127.0.0.1:${this.goal.port}/${APP}`;
    this.#say(0, "connect", 1, { app: APP, tcUrl, flashVer: "LNX 9,0,124,2", objectEncoding: 0 });
    return start + count;
  }

  #say(streamId: number, ...command: Amf[]): void {
    this.send(chunked(3, COMMAND, streamId, encodeAmf(...command)));
  }

  #command(body: Uint8Array): void {
    // The names and codes of the protocol are ASCII; nothing else in the answers matters here.
    const text = new TextDecoder("latin1").decode(body);
    if (text.includes("_error") || text.includes("\0\x05error")) {
      this.owner.onRefused(this, text.replace(/[^\x20-\x7e]+/g, " "));
    } else if (text.startsWith("_result", 3)) {
      if (new DataView(body.buffer).getFloat64(11) === 1) this.#say(0, "createStream", 2, null);
      else if (this.goal.action === "play") this.#say(STREAM_ID, "play", 0, null, this.goal.stream);
      else this.#say(STREAM_ID, "publish", 0, null, this.goal.stream, "live");
    } else if (/NetStream\.(Play|Publish)\.Start/.test(text) && !this.accepted) this.accept();
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

function u32Bytes(value: number): Uint8Array {
  return Uint8Array.from([value >>> 24, value >>> 16, value >>> 8, value]);
}
