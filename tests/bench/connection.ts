/**
 * One RTMP connection of the load client: handshake, connect, createStream, then play or publish.
 * @module
 */
import { type Amf, encodeAmf } from "../tools/raw_client.ts";
import { ChunkParser, type IncomingMessage, type ParserHandler } from "./chunk_parser.ts";
import { EPOLLIN, EPOLLOUT, type Poller, transmit } from "./libc.ts";
import { AUDIO, chunked, SEND_CHUNK_BYTES, VIDEO } from "./stream.ts";

const SET_CHUNK_SIZE = 1;
const USER_CONTROL = 4;
const COMMAND = 20;
const PING_REQUEST = 6;
const PING_RESPONSE = 7;

const HANDSHAKE_BYTES = 1536;
const VERSION = 3;

/** The application that streams are published to. */
const APP = "live";
/** Message stream id; every server numbers its first stream so. */
const STREAM_ID = 1;
/** What a floor sends in: it answers nothing, so nothing can be announced. */
const RAW_CHUNK_BYTES = SEND_CHUNK_BYTES;

/** What a connection is for. */
export interface ConnectionGoal {
  readonly action: "play" | "publish";
  readonly port: number;
  readonly stream: string;
  /** Media from the first byte on: no handshake, no commands. */
  readonly raw: boolean;
  /** A player that reads less than it gets, and is not counted. */
  readonly isSlow: boolean;
}

/** What a connection tells its owner. */
export interface ConnectionOwner {
  /** The server has agreed. */
  onAccepted(connection: Connection): void;
  /** The server has refused: the connection is of no use. */
  onRefused(connection: Connection, reason: string): void;
  /** The first bytes of a media message's payload are there. */
  onMediaHead(connection: Connection, message: IncomingMessage): void;
  /** A media message is complete. */
  onMedia(connection: Connection, message: IncomingMessage): void;
}

/** A connection; its owner reads the socket. */
export class Connection implements ParserHandler {
  /** The server has agreed to play or publish. */
  accepted = false;
  /** When the first byte of media that is no sequence header came, µs; 0: it has not. */
  firstMediaUs = 0;
  /** A picture has begun to come: nginx-rtmp sends none before the next keyframe. */
  hasVideo = false;
  /** Number of the newest message; negative before the first. */
  lastNumber = -1;
  /** Messages since counting began. */
  messages = 0;

  readonly #parser = new ChunkParser(this);
  #isConnected = false;
  /** The server's part of the handshake; null when it is over. */
  #handshake: Uint8Array<ArrayBuffer> | null = new Uint8Array(1 + 2 * HANDSHAKE_BYTES);
  #handshakeBytes = 0;
  /** What the kernel has not taken yet. */
  #unsent: Uint8Array<ArrayBuffer>[] = [];

  constructor(
    readonly fd: number,
    readonly goal: ConnectionGoal,
    readonly startedUs: number,
    readonly owner: ConnectionOwner,
    readonly poller: Poller,
  ) {
    poller.add(fd, EPOLLIN | EPOLLOUT);
    if (goal.raw) {
      this.#handshake = null;
      this.#parser.chunkBytes = RAW_CHUNK_BYTES;
    }
  }

  /** The socket can take bytes; the first time this means that it is connected. */
  onWritable(): void {
    if (!this.#isConnected) {
      this.#isConnected = true;
      if (this.goal.raw) this.#accept();
      else this.send(Uint8Array.from([VERSION, ...new Array(HANDSHAKE_BYTES).fill(0)]));
    }
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const bytes of unsent) this.send(bytes);
    if (this.#unsent.length === 0) this.poller.modify(this.fd, EPOLLIN);
  }

  /** The bytes of `buffer` from `start` to `end` have come. */
  onBytes(buffer: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    if (this.#handshake) start = this.#shakeHands(this.#handshake, buffer, start, end);
    if (start < end) this.#parser.push(buffer, start, end);
  }

  /** Sends bytes; what the kernel does not take now is copied and sent later. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    const sent = this.#unsent.length > 0 ? 0 : Math.max(0, transmit(this.fd, bytes));
    if (sent === bytes.length) return;
    this.#unsent.push(bytes.slice(sent));
    this.poller.modify(this.fd, EPOLLIN | EPOLLOUT);
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

  #accept(): void {
    this.accepted = true;
    this.owner.onAccepted(this);
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
    } else if (/NetStream\.(Play|Publish)\.Start/.test(text) && !this.accepted) this.#accept();
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
}

function u32Bytes(value: number): Uint8Array {
  return Uint8Array.from([value >>> 24, value >>> 16, value >>> 8, value]);
}
