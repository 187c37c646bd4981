/**
 * A well-behaved publisher and player that watch over a server: every message bears its number and a
 * hash, and the player must get each of them, in order, to the byte.
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { until } from "./process.ts";
import { isMedia, type Message, RawClient, Type } from "./raw_client.ts";

/** ms between two messages: what a stream of 25 pictures a second and its sound has. */
const INTERVAL_MS = 20;

/** ms between two looks at what has come. */
const LOOK_MS = 50;

/** ms within which everything sent must have arrived, on a machine that does other things as well. */
const CATCH_UP_LIMIT_MS = 15_000;

/** Every 50th message is a keyframe: one a second. */
const KEYFRAME_EVERY = 50;

/** Bytes behind the codec's header: number and stream at the front, hash at the end. */
const HEAD_BYTES = 8;
const HASH_BYTES = 8;

/** A message with a number in it. */
export interface Numbered {
  readonly type: number;
  /** ms */
  readonly timestamp: number;
  readonly payload: Buffer;
}

function hashOf(bytes: Uint8Array): Buffer {
  return createHash("sha1").update(bytes).digest().subarray(0, HASH_BYTES);
}

/** Message `sequence` of the stream with the number `stream`; `bytes` is the least size of a picture. */
export function numbered(stream: number, sequence: number, bytes = 0): Numbered {
  const isAudio = sequence % 2 === 1;
  const header = isAudio
    ? Buffer.from([0xaf, 1])
    : Buffer.from([sequence % KEYFRAME_EVERY === 0 ? 0x17 : 0x27, 1, 0, 0, 0]);
  const size = isAudio ? sequence % 150 : Math.max(bytes, (sequence * 37) % 1400);
  const payload = Buffer.alloc(header.length + HEAD_BYTES + size + HASH_BYTES, sequence & 0xff);
  header.copy(payload);
  payload.writeUInt32BE(sequence, header.length);
  payload.writeUInt32BE(stream, header.length + 4);
  const end = payload.length - HASH_BYTES;
  hashOf(payload.subarray(0, end)).copy(payload, end);
  return { type: isAudio ? Type.AUDIO : Type.VIDEO, timestamp: sequence * INTERVAL_MS, payload };
}

/** Reads a numbered message's number. @throws AssertionError when a byte of it is wrong. */
export function sequenceOf(stream: number, { type, payload }: Message): number {
  const header = type === Type.AUDIO ? 2 : 5;
  const end = payload.length - HASH_BYTES;
  assert.ok(end >= header + HEAD_BYTES, `a message of ${payload.length} bytes is none of ours`);
  const hash = hashOf(payload.subarray(0, end)).toString("hex");
  assert.equal(payload.toString("hex", end), hash, "the bytes of a message have changed");
  assert.equal(payload.readUInt32BE(header + 4), stream, "a message of another stream");
  return payload.readUInt32BE(header);
}

/** Publishes numbered messages in real time. */
export class NumberedPublisher {
  /** Messages sent. */
  sent = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(
    readonly client: RawClient,
    readonly stream: number,
    readonly bytes: number,
  ) {}

  /** Connects, and sends from the next interval on. */
  static async start(
    port: number,
    app: string,
    name: string,
    options: { stream?: number; bytes?: number } = {},
  ): Promise<NumberedPublisher> {
    const client = await RawClient.open(port);
    const publisher = new NumberedPublisher(client, options.stream ?? 0, options.bytes ?? 0);
    try {
      await client.publish(app, name);
    } catch (error) {
      client.destroy();
      throw error;
    }
    publisher.resume();
    return publisher;
  }

  /** Falls silent; the connection stays. */
  pause(): void {
    clearInterval(this.#timer);
    this.client.messages.length = 0;
  }

  /** Sends again. */
  resume(): void {
    this.#timer = setInterval(() => this.#send(), INTERVAL_MS);
  }

  /** Closes at once. */
  stop(): void {
    this.pause();
    this.client.destroy();
  }

  #send(): void {
    const { type, timestamp, payload } = numbered(this.stream, this.sent++, this.bytes);
    this.client.send(type, payload, timestamp);
    this.client.messages.length = 0;
  }
}

/** Plays a numbered stream, and checks every message. */
export class NumberedPlayer {
  /** Messages received. */
  received = 0;
  /** Number of the last one; -1: none yet. */
  last = -1;
  /** Messages that are missing between those that came. */
  lost = 0;
  /** What was wrong first, apart from missing messages. */
  fault: Error | null = null;
  /** Bytes of media received. */
  bytes = 0;
  #lastTime = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  private constructor(readonly client: RawClient, readonly stream: number) {
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  static async start(
    port: number,
    app: string,
    name: string,
    stream = 0,
  ): Promise<NumberedPlayer> {
    const client = await RawClient.open(port);
    try {
      await client.play(app, name);
    } catch (error) {
      client.destroy();
      throw error;
    }
    return new NumberedPlayer(client, stream);
  }

  /** Checks what has come. */
  look(): void {
    for (const message of this.client.messages.splice(0)) {
      if (!isMedia(message)) continue;
      try {
        this.#check(message);
      } catch (error) {
        this.fault ??= error instanceof Error ? error : new Error(String(error));
      }
    }
  }

  /** Closes at once. */
  stop(): void {
    clearInterval(this.#timer);
    this.look();
    this.client.destroy();
  }

  #check(message: Message): void {
    this.received++;
    this.bytes += message.payload.length;
    const sequence = sequenceOf(this.stream, message);
    const { last } = this;
    if (last >= 0) {
      assert.ok(sequence > last, `message ${sequence} came after ${last}`);
      this.lost += sequence - last - 1;
      if (sequence === last + 1) {
        assert.equal(message.timestamp - this.#lastTime, INTERVAL_MS, `timestamp of ${sequence}`);
      }
    }
    this.last = sequence;
    this.#lastTime = message.timestamp;
  }
}

/** One publisher and one player of the stream `control/stream`. */
export class ControlStream {
  private constructor(
    readonly publisher: NumberedPublisher,
    readonly player: NumberedPlayer,
  ) {}

  /** Starts both, and waits until the player has some messages. `query`: what the publisher's URL ends in. */
  static async start(port: number, query = ""): Promise<ControlStream> {
    const player = await NumberedPlayer.start(port, "control", "stream");
    const control = new ControlStream(
      await NumberedPublisher.start(port, "control", `stream${query}`),
      player,
    );
    await control.progress("the control stream", 10);
    return control;
  }

  /**
   * Waits until the player has everything that was sent before this call and `more` messages.
   * @throws AssertionError when something is missing or has changed.
   */
  async progress(when: string, more = 5): Promise<void> {
    const wanted = this.publisher.sent - 1 + more;
    await until(`${when}: control message ${wanted}`, CATCH_UP_LIMIT_MS, () => {
      this.check(when);
      return this.player.last >= wanted;
    });
  }

  /** @throws AssertionError when a message is missing or has changed. */
  check(when: string): void {
    this.player.look();
    if (this.player.fault) throw this.player.fault;
    assert.equal(this.player.lost, 0, `${when}: control messages are missing`);
  }

  /** Ends both. */
  stop(): void {
    this.publisher.stop();
    this.player.stop();
  }
}
