/**
 * A player: a cursor into the stream's broadcast log and the way to its socket. Its memory does not
 * depend on the bitrate.
 * @module
 */

import { type BroadcastLog, Entry } from "../log/broadcast_log.ts";
import type { StreamStats } from "../stream_stats.ts";

/** Where a player's bytes go. */
export interface PlayerSink {
  /**
   * Sends bytes, which must not change until they are through. False: they are not all through yet;
   * the sink's owner calls `Player.writable` when they are.
   */
  send(bytes: Uint8Array): boolean;
}

/** The log that a player is a cursor into, and what it has to know of the stream. */
export interface PlayerSource {
  readonly log: BroadcastLog;
  /** The stream has a publisher. */
  readonly active: boolean;
  /** ms of stream that a player may lag. */
  readonly queueLengthMs: number;
  /** What is counted. */
  readonly stats: StreamStats;
  /** Not every entry is for every player. */
  readonly hasTracks: boolean;
  /** Brings one player up to what the others have been sent. */
  flushPlayer(player: Player): void;
  /** How far entry `entry` is behind the head, ms. */
  lagOf(entry: number): number;
  /** Where a player at `cursor` that lags too far resumes; null: it must wait for a keyframe. */
  resumePoint(cursor: number): number | null;
  /** Where a sink at the beginning of a stream can start, at entry `from` or later; null: it must wait. */
  startPoint(from: number, newest: boolean): number | null;
  /** Whether headers came in at entry `entry` or later. */
  headersChangedSince(entry: number): boolean;
  /** Metadata and sequence headers at a stream time in ms; `skip`: `Entry` bits to leave out. */
  headerBytes(time: number, skip: number): Uint8Array;
  /** Stream time of an entry, ms; the present time for one that is still to come. */
  timeAt(entry: number): number;
}

/** How a player wants to be served. */
export interface PlayerOptions {
  /** ms of stream after which it has had what it asked for; 0 = no end. */
  readonly durationMs: number;
  /** It understands multitrack messages; without, it gets the main track alone. */
  readonly multitrack: boolean;
  /** `Entry` bits of the kinds of media that it does not want; default: none. */
  readonly without?: number;
  /** It gets nothing before `startOver`. */
  readonly paused?: boolean;
  /** Called once when `durationMs` have been sent, and never before `join` has returned. */
  readonly onEnd: () => void;
}

/** The cursor of a player that gets nothing until the next keyframe. */
const NOWHERE = Infinity;

/** A time that is not known yet. */
const UNKNOWN = -1;

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
  /** GOPs left out then, in whole or in part. */
  droppedGops = 0;
  /** First entry that came after it had joined. */
  readonly firstLive: number;

  readonly #stream: PlayerSource;
  readonly #sink: PlayerSink;
  readonly #options: PlayerOptions;
  #busy = false;
  /** First entry of the write in flight; -1: none that refers to the log. */
  #inFlight = -1;
  #paused = false;
  /** From where on entries were left out, while waiting for a keyframe. */
  #droppedFrom = -1;
  /** It waits, and its sink has had no headers. */
  #headless = false;
  /** Stream time of the first audio or video message that it was sent, ms. */
  /** Stream time of its first frame of each kind: audio and video may lie apart. */
  #audioStart = UNKNOWN;
  #videoStart = UNKNOWN;
  #ended = false;
  /** Flags of entries that are not for it. */
  readonly #skip: number;
  /** Those of them that it does not want; the others occur only in streams with several tracks. */
  readonly #without: number;
  /** How far it was behind when it joined, ms: a long GOP is no fault of its own. */
  #allowanceMs: number;

  constructor(stream: PlayerSource, sink: PlayerSink, options: PlayerOptions, cursor: number) {
    this.#stream = stream;
    this.#sink = sink;
    this.#options = options;
    this.cursor = cursor;
    this.#without = options.without ?? 0;
    this.#skip = this.#without | (options.multitrack ? Entry.MAIN_TRACK : Entry.MULTITRACK);
    this.#paused = options.paused ?? false;
    this.firstLive = stream.log.head;
    this.#allowanceMs = cursor < stream.log.head ? stream.lagOf(cursor) : 0;
  }

  /** Bytes are on their way that the sink has not got rid of. */
  get busy(): boolean {
    return this.#busy;
  }

  /** It takes bytes now. */
  get ready(): boolean {
    return !this.#busy && !this.#paused;
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

  /** It has joined: it gets the headers and what it starts with. */
  begin(): void {
    if (this.#stream.active) this.sendHeaders();
    this.#stream.flushPlayer(this);
  }

  /** Sends metadata and sequence headers, stamped with the time of what comes next. */
  sendHeaders(): void {
    const time = this.#stream.timeAt(this.cursor);
    this.sendPrivate(this.#stream.headerBytes(time, this.#skip));
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
    const first = this.cursor;
    const skip = this.#stream.hasTracks ? this.#skip : this.#without;
    while (this.ready && this.cursor < limit) {
      if (skip !== 0) this.cursor = log.nextWithout(skip, this.cursor, limit);
      if (this.cursor === limit) break;
      const from = this.cursor;
      const bytes = log.view(from, skip === 0 ? limit : log.nextWith(skip, from, limit));
      this.cursor = log.viewEnd;
      this.sentBytes += bytes.length;
      if (!this.#sink.send(bytes)) {
        this.#busy = true;
        this.#inFlight = from;
      }
    }
    if (this.cursor === limit) this.#allowanceMs = 0;
    if (this.#options.durationMs > 0 && this.cursor > first) this.#checkEnd(first);
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
    const allowed = this.#stream.queueLengthMs + this.#allowanceMs;
    if (this.#stream.lagOf(this.cursor) > allowed) this.drop();
  }

  /** Leaves out what it has not had, up to the newest keyframe or to the next one. */
  drop(): void {
    if (this.waiting) return;
    const target = this.#stream.resumePoint(this.cursor);
    this.jumps++;
    this.#countGops(this.cursor, target ?? this.#stream.log.head);
    this.#droppedFrom = this.cursor;
    this.cursor = target ?? NOWHERE;
    if (target !== null) this.#resume();
  }

  /** If it waits: entry number `entry` is one to resume at. */
  resumeAt(entry: number): void {
    if (!this.waiting) return;
    this.cursor = entry;
    this.#resume();
  }

  /** The entries from `from` to `to` are left out: one GOP, and each that begins after it. */
  #countGops(from: number, to: number): void {
    const { log, stats } = this.#stream;
    let gops = 1;
    for (
      let at = log.nextWith(Entry.KEYFRAME, from + 1, to);
      at < to;
      at = log.nextWith(Entry.KEYFRAME, at + 1, to)
    ) gops++;
    this.droppedGops += gops;
    stats.droppedGops += gops;
  }

  /**
   * Its sink is at the beginning of a stream: it gets the headers, and then the stream from where
   * decoding can begin: the first keyframe that it has not had, or, with `newest`, the last one.
   */
  startOver(newest: boolean): void {
    this.#paused = false;
    if (this.waiting) {
      this.#headless = true;
      return;
    }
    const first = this.cursor;
    const start = this.#stream.startPoint(first, newest);
    this.cursor = start ?? NOWHERE;
    if (start === null) {
      this.#droppedFrom = first;
      this.#headless = true;
      return;
    }
    this.droppedMessages += start - first;
    this.sendHeaders();
    this.#stream.flushPlayer(this);
  }

  /** Headers that changed in what was left out must come before what follows. */
  #resume(): void {
    const dropped = this.cursor - this.#droppedFrom;
    this.droppedMessages += dropped;
    this.#stream.stats.droppedMessages += dropped;
    if (this.#headless || this.#stream.headersChangedSince(this.#droppedFrom)) {
      this.sendHeaders();
    }
    this.#headless = this.#headless && this.#paused;
    this.#droppedFrom = -1;
  }

  /**
   * The entries from `first` to the cursor have been sent. The first ones are never the end as well,
   * however long the GOP: `join` has not returned yet, and the caller cannot end what it does not have.
   */
  #checkEnd(first: number): void {
    const { log } = this.#stream;
    const isFirst = this.#audioStart === UNKNOWN && this.#videoStart === UNKNOWN;
    while (first < this.cursor && (this.#audioStart === UNKNOWN || this.#videoStart === UNKNOWN)) {
      this.#noteStart(first++);
    }
    const last = this.cursor - 1;
    if (isFirst || this.#ended || !log.isFrame(last)) return;
    const isVideo = (log.flagsAt(last) & Entry.VIDEO) !== 0;
    const start = isVideo ? this.#videoStart : this.#audioStart;
    if (log.timestampAt(last) - start < this.#options.durationMs) return;
    this.#ended = true;
    this.#options.onEnd();
  }

  #noteStart(entry: number): void {
    const { log } = this.#stream;
    if (!log.isFrame(entry)) return;
    const time = log.timestampAt(entry);
    if (log.flagsAt(entry) & Entry.VIDEO) {
      if (this.#videoStart === UNKNOWN) this.#videoStart = time;
    } else if (this.#audioStart === UNKNOWN) {
      this.#audioStart = time;
    }
  }
}
