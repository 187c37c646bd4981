/**
 * The broadcast log: every message of a stream once, as the bytes that go to the players. Players are
 * cursors into it; what they are sent are views of its memory.
 *
 *     entries   tail ........ cursor ............ head        numbered from 0, one per message
 *     segments  [ m m m m m ] [ m m m M M m ] [ m m       ]   a message never crosses a segment's end
 *
 * @module
 */

import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, type SegmentMemory } from "./segment_pool.ts";

/** What an entry is; bits. */
export const Entry = {
  AUDIO: 1,
  VIDEO: 2,
  DATA: 4,
  KEYFRAME: 8,
  /** A sequence header or other configuration that decoders need. */
  HEADER: 16,
  /** A multitrack message: for players that have said they understand such. */
  MULTITRACK: 32,
  /** The main track of the message before it: for all other players. */
  MAIN_TRACK: 64,
} as const;

/** A segment that fills faster than this (ms) is followed by one twice as large. */
const SEGMENT_FAST_MS = 1000;
/** A segment that lasts longer than this (ms) is followed by one half as large. */
const SEGMENT_SLOW_MS = 8000;
/** Entries that the ring starts with; it doubles when the log holds more. */
const INITIAL_ENTRIES = 256;

interface Segment {
  readonly bytes: Uint8Array;
  readonly firstEntry: number;
  /** One past its last entry. */
  endEntry: number;
  used: number;
  readonly openedAt: number;
  /** A write that refers to it may still be in flight: it goes to the GC, not back to the pool. */
  held: boolean;
  /** The last view of it, and the entries that are its beginning and its end. */
  view: Uint8Array;
  viewFrom: number;
  viewEnd: number;
}

/** An append-only log over recycled memory. */
export class BroadcastLog {
  /** Number of the oldest entry kept. */
  tail: number;
  /** Number of the next entry. */
  head: number;
  /** After `reserve`: where in the memory to write. */
  writeAt = 0;
  /** After `view`: number of the first entry that is not in it. */
  viewEnd = 0;

  readonly #pool: SegmentMemory;
  readonly #segments: Segment[] = [];
  #segmentSize = MIN_SEGMENT_BYTES;
  #bytes = 0;

  #mask = INITIAL_ENTRIES - 1;
  #timestamps = new Float64Array(INITIAL_ENTRIES);
  #arrivals = new Float64Array(INITIAL_ENTRIES);
  #offsets = new Float64Array(INITIAL_ENTRIES);
  #flags = new Uint8Array(INITIAL_ENTRIES);

  /** `first`: number of the first entry. */
  constructor(pool: SegmentMemory, first = 0) {
    this.#pool = pool;
    this.tail = this.head = first;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Stream time of an entry, ms. */
  timestampAt(entry: number): number {
    return this.#timestamps[entry & this.#mask];
  }

  /** When an entry came in, ms of the clock. */
  arrivalAt(entry: number): number {
    return this.#arrivals[entry & this.#mask];
  }

  /** `Entry` bits of an entry. */
  flagsAt(entry: number): number {
    return this.#flags[entry & this.#mask];
  }

  /**
   * Room for one message of `size` bytes: the memory, and in `writeAt` the position in it. The message
   * is in the log with the `commit` that must follow.
   */
  reserve(size: number, nowMs: number): Uint8Array {
    const segment = this.#room(size, nowMs);
    this.writeAt = segment.used;
    return segment.bytes;
  }

  /** Makes the `size` bytes written since `reserve` an entry, and returns its number. */
  commit(size: number, flags: number, timestamp: number, nowMs: number): number {
    if (this.head - this.tail > this.#mask) this.#growRing();
    const segment = this.#segments[this.#segments.length - 1];
    const entry = this.head;
    const slot = entry & this.#mask;
    this.#timestamps[slot] = timestamp;
    this.#arrivals[slot] = nowMs;
    this.#offsets[slot] = segment.used;
    this.#flags[slot] = flags;
    segment.used += size;
    segment.endEntry = ++this.head;
    return entry;
  }

  /**
   * The bytes from an entry on, as far as they lie in one piece and up to `limit`; `viewEnd` tells
   * how far that was. All who ask at the same point get the same object. Valid until the entry is
   * trimmed; the memory behind it as long as it is held.
   */
  view(from: number, limit: number = this.head): Uint8Array {
    const segment = this.#segmentOf(from);
    this.viewEnd = Math.min(limit, segment.endEntry);
    if (segment.viewFrom === from && segment.viewEnd === this.viewEnd) return segment.view;
    const end = this.viewEnd === segment.endEntry
      ? segment.used
      : this.#offsets[this.viewEnd & this.#mask];
    segment.view = segment.bytes.subarray(this.#offsets[from & this.#mask], end);
    segment.viewFrom = from;
    segment.viewEnd = this.viewEnd;
    return segment.view;
  }

  /** The first entry from `from` on that has none of these flags, or `limit`. */
  nextWithout(flags: number, from: number, limit: number): number {
    while (from < limit && (this.flagsAt(from) & flags) !== 0) from++;
    return from;
  }

  /** The first entry from `from` on that has any of these flags, or `limit`. */
  nextWith(flags: number, from: number, limit: number): number {
    while (from < limit && (this.flagsAt(from) & flags) === 0) from++;
    return from;
  }

  /** Whether `trim(min)` would free anything. */
  canTrim(min: number): boolean {
    return this.#segments.length > 0 && this.#segments[0].endEntry <= min && min > this.tail;
  }

  /** A write of the bytes from this entry on is in flight: their memory must not be used again. */
  hold(entry: number): void {
    if (entry >= this.tail && entry < this.head) this.#segmentOf(entry).held = true;
  }

  /** Lets go of the segments that hold nothing from `min` on. */
  trim(min: number): void {
    while (this.#segments.length > 0 && this.#segments[0].endEntry <= min) {
      const [segment] = this.#segments.splice(0, 1);
      this.tail = segment.endEntry;
      this.#bytes -= segment.bytes.length;
      if (!segment.held) this.#pool.give(segment.bytes);
    }
  }

  #room(size: number, nowMs: number): Segment {
    const last = this.#segments.at(-1);
    if (last && last.bytes.length - last.used >= size) return last;
    if (last) this.#adaptSize(nowMs - last.openedAt);
    const bytes = this.#pool.take(Math.max(size, this.#segmentSize));
    const segment: Segment = {
      bytes,
      firstEntry: this.head,
      endEntry: this.head,
      used: 0,
      openedAt: nowMs,
      held: false,
      view: bytes,
      viewFrom: -1,
      viewEnd: -1,
    };
    this.#segments.push(segment);
    this.#bytes += bytes.length;
    return segment;
  }

  #adaptSize(lastedMs: number): void {
    if (lastedMs < SEGMENT_FAST_MS) {
      this.#segmentSize = Math.min(MAX_SEGMENT_BYTES, this.#segmentSize * 2);
    } else if (lastedMs > SEGMENT_SLOW_MS) {
      this.#segmentSize = Math.max(MIN_SEGMENT_BYTES, this.#segmentSize / 2);
    }
  }

  /** Searched from the newest: nearly every player is there. */
  #segmentOf(entry: number): Segment {
    for (let i = this.#segments.length - 1; i >= 0; i--) {
      if (this.#segments[i].firstEntry <= entry) return this.#segments[i];
    }
    throw new RangeError(`entry ${entry} is not in the log (${this.tail}..${this.head})`);
  }

  #growRing(): void {
    const size = 2 * (this.#mask + 1);
    const timestamps = new Float64Array(size);
    const arrivals = new Float64Array(size);
    const offsets = new Float64Array(size);
    const flags = new Uint8Array(size);
    for (let entry = this.tail; entry < this.head; entry++) {
      const from = entry & this.#mask;
      const to = entry & (size - 1);
      timestamps[to] = this.#timestamps[from];
      arrivals[to] = this.#arrivals[from];
      offsets[to] = this.#offsets[from];
      flags[to] = this.#flags[from];
    }
    this.#mask = size - 1;
    this.#timestamps = timestamps;
    this.#arrivals = arrivals;
    this.#offsets = offsets;
    this.#flags = flags;
  }
}
