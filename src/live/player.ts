/**
 * A player: a cursor into the stream's broadcast log and the way to its socket. Its memory does not
 * depend on the bitrate.
 * @module
 */

import { Entry } from "./broadcast_log.ts";
import type { LiveStream } from "./live_stream.ts";

/** Where a player's bytes go. */
export interface PlayerSink {
  /**
   * Sends bytes, which must not change until they are through. False: they are not all through yet;
   * whoever owns the sink calls `Player.writable` when they are.
   */
  send(bytes: Uint8Array): boolean;
}

/** How a player wants to be served. */
export interface PlayerOptions {
  /** ms of stream after which it has had what it asked for; 0 = no end. */
  readonly durationMs: number;
  /** Called once when `durationMs` have been sent. */
  readonly onEnd: () => void;
}

/** The cursor of a player that gets nothing until the next keyframe. */
const NOWHERE = Infinity;

/** One player of a stream. Made by `LiveStream.join`. */
export class Player {
  /** Number of the next log entry to send. */
  cursor: number;
  /** Bytes handed to the sink, all in all. */
  sentBytes = 0;
  /** Messages left out because the player was too slow. */
  droppedMessages = 0;
  /** Times that it was moved on to a keyframe. */
  jumps = 0;

  readonly #stream: LiveStream;
  readonly #sink: PlayerSink;
  readonly #options: PlayerOptions;
  #busy = false;
  /** First entry of the write in flight; -1: none that refers to the log. */
  #inFlight = -1;
  #paused = false;
  /** From where on entries were left out, while waiting for a keyframe. */
  #droppedFrom = -1;
  #startTime = -1;

  constructor(stream: LiveStream, sink: PlayerSink, options: PlayerOptions, cursor: number) {
    this.#stream = stream;
    this.#sink = sink;
    this.#options = options;
    this.cursor = cursor;
  }

  /** Bytes are on their way that the sink has not got rid of. */
  get busy(): boolean {
    return this.#busy;
  }

  /** First log entry of the bytes on their way, or -1. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Waits for the next keyframe. */
  get waiting(): boolean {
    return this.cursor === NOWHERE;
  }

  /** ms that it is behind the stream. */
  get lagMs(): number {
    return this.cursor < this.#stream.log.head ? this.#stream.lagOf(this.cursor) : 0;
  }

  /** Sends bytes of its own, in order with the stream's. */
  sendPrivate(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.sentBytes += bytes.length;
    if (!this.#sink.send(bytes)) this.#busy = true;
  }

  /** Sends all that it has not had up to entry `limit`, as far as the sink takes it. */
  flush(limit: number): void {
    const log = this.#stream.log;
    while (!this.#busy && !this.#paused && this.cursor < limit) {
      const from = this.cursor;
      const bytes = log.view(from, limit);
      this.cursor = log.viewEnd;
      this.sentBytes += bytes.length;
      if (!this.#sink.send(bytes)) {
        this.#busy = true;
        this.#inFlight = from;
      }
    }
    if (this.#options.durationMs > 0) this.#checkEnd();
  }

  /** The sink has got rid of everything. */
  writable(): void {
    this.#busy = false;
    this.#inFlight = -1;
    this.checkLag();
    this.#stream.flushPlayer(this);
  }

  /** Stops or resumes delivery; what a paused player misses is bounded by `queue_length` as ever. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (!paused) {
      this.checkLag();
      this.#stream.flushPlayer(this);
    }
  }

  /**
   * Moves a player that lags more than `queue_length` on to the newest keyframe, or has it wait for
   * one. Nothing else ever makes a player lose a message.
   */
  checkLag(): void {
    const { log } = this.#stream;
    if (this.cursor >= log.head) return;
    if (this.#stream.lagOf(this.cursor) > this.#stream.queueLengthMs) this.drop();
  }

  /** Leaves out what it has not had, up to the newest keyframe or to the next one. */
  drop(): void {
    if (this.waiting) return;
    const target = this.#stream.resumePoint(this.cursor);
    this.jumps++;
    this.#droppedFrom = this.cursor;
    this.cursor = target ?? NOWHERE;
    if (target !== null) this.#resume();
  }

  /** A keyframe has come: entry number `entry`. */
  keyframe(entry: number): void {
    if (!this.waiting) return;
    this.cursor = entry;
    this.#resume();
  }

  /** Headers that changed in what was left out must come before what follows. */
  #resume(): void {
    this.droppedMessages += this.cursor - this.#droppedFrom;
    if (this.#stream.headersChangedSince(this.#droppedFrom)) {
      this.sendPrivate(this.#stream.headerBytes(this.#stream.timeAt(this.cursor)));
    }
    this.#droppedFrom = -1;
  }

  #checkEnd(): void {
    const { log } = this.#stream;
    const last = this.cursor - 1;
    if (last < log.tail || last >= log.head) return;
    if ((log.flagsAt(last) & (Entry.AUDIO | Entry.VIDEO)) === 0) return;
    const time = log.timestampAt(last);
    if (this.#startTime < 0) this.#startTime = time;
    else if (time - this.#startTime >= this.#options.durationMs) this.#options.onEnd();
  }
}
