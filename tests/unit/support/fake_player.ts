/**
 * The far end of a player: keeps what it is sent, and watches that nobody touches it.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { LiveStream } from "../../../src/live/stream/live_stream.ts";
import type { Player, PlayerOptions, PlayerSink } from "../../../src/live/play/player.ts";
import { ChunkReader } from "../../../src/rtmp/chunk_reader.ts";
import { MessageWriter } from "../../../src/rtmp/chunk_writer.ts";
import { ChunkStream, MessageType, u32Body } from "../../../src/rtmp/message.ts";

/** A message as a player receives it. */
export interface Received {
  readonly type: number;
  /** ms */
  readonly time: number;
  readonly payload: Uint8Array;
}

/** A sink like a socket: it may be slow, and it refers to the memory it was given until it is through. */
export class FakeSink implements PlayerSink {
  /** Whether bytes get through at once. */
  fast = true;
  /** Runs at each `send`. */
  onSend: (bytes: Uint8Array) => void = () => {};
  /** What it was given, as it was given. */
  readonly views: Uint8Array[] = [];
  readonly #copies: Uint8Array[] = [];
  #inFlight: { view: Uint8Array; copy: Uint8Array }[] = [];

  send(bytes: Uint8Array): boolean {
    const copy = bytes.slice();
    this.views.push(bytes);
    this.#copies.push(copy);
    this.onSend(bytes);
    if (this.fast) return true;
    this.#inFlight.push({ view: bytes, copy });
    return false;
  }

  /** Writes that are not through. */
  get inFlight(): number {
    return this.#inFlight.length;
  }

  /** The writes are through: the bytes that went out last are those that were given. */
  complete(): void {
    for (const { view, copy } of this.#inFlight) {
      assert.ok(Buffer.compare(view, copy) === 0, "memory of a write in flight was overwritten");
    }
    this.#inFlight = [];
  }

  /** All bytes so far. */
  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#copies));
  }

  /** All messages so far. */
  messages(chunkSize: number): Received[] {
    return parse(this.bytes, chunkSize);
  }

  /** Forgets what has been received. */
  clear(): void {
    this.views.length = 0;
    this.#copies.length = 0;
  }
}

/** A player of a stream with a fake sink. */
export class FakePlayer {
  readonly sink = new FakeSink();
  readonly player: Player;
  readonly #stream: LiveStream;

  constructor(stream: LiveStream, options: Partial<PlayerOptions> & { fast?: boolean } = {}) {
    this.#stream = stream;
    this.sink.fast = options.fast ?? true;
    this.player = stream.join(this.sink, {
      durationMs: 0,
      multitrack: false,
      onEnd: () => {},
      ...options,
    });
  }

  /** Messages received since the last time. */
  take(): Received[] {
    const messages = this.sink.messages(this.#stream.vhost.chunkSize);
    this.sink.clear();
    return messages;
  }

  /** The socket has got rid of everything. */
  writable(): void {
    this.sink.complete();
    this.player.writable();
  }

  /** Takes everything, as often as there is something. */
  drain(): void {
    while (this.sink.inFlight > 0) this.writable();
  }

  leave(): void {
    this.#stream.leave(this.player);
  }
}

/** The messages in what a player was sent; nothing may be left over. */
export function parse(bytes: Uint8Array, chunkSize: number): Received[] {
  const announcement = new MessageWriter();
  announcement.write(ChunkStream.CONTROL, MessageType.SET_CHUNK_SIZE, 0, 0, u32Body(chunkSize));
  const reader = new ChunkReader();
  const received: Received[] = [];
  for (const piece of [announcement.take(), bytes]) {
    reader.push(piece);
    while (reader.next()) {
      const { type, timestamp, payload } = reader.message;
      received.push({ type, time: timestamp, payload: payload.slice() });
    }
  }
  assert.equal(reader.partialBytes, 0, "the bytes end within a message");
  return received.slice(1);
}
