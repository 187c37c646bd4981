/**
 * The broadcast log: every message of a stream once, as the bytes that go to the players. Players are
 * cursors into it; what they are sent are views of its memory.
 *
 *     entries   tail ........ cursor ............ head        numbered from 0, one per message
 *     segments  [ m m m m m ] [ m m m M M m ] [ m m       ]   a message never crosses a segment's end
 *
 * @module
 */

import { SEGMENT_FAST_MS, SEGMENT_SLOW_MS } from "../limits.ts";
import { MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES } from "../limits.ts";
import { type SegmentMemory } from "./segment_pool.ts";

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

/** Entries that the ring starts with; it doubles when the log holds more. */
const INITIAL_ENTRIES = 256;

/** Takes foreign memory back. `held`: a write that refers to it may still be in flight. */
export type GiveBack = (held: boolean) => void;

/** Entries that lie behind one another in one segment of a log. */
export interface LogPiece {
  /** Number of the segment in its log. */
  readonly segment: number;
  readonly bytes: Uint8Array;
  /** Where in `bytes` the first entry begins. */
  readonly at: number;
  /** One past the last entry. */
  readonly end: number;
}

interface Segment {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly firstEntry: number;
  /** One past its last entry. */
  endEntry: number;
  used: number;
  readonly openedAt: number;
  /** A write that refers to it may still be in flight: it goes to the GC, not back to the pool. */
  held: boolean;
  /** Other logs that have adopted it. */
  lent: number;
  /** It belongs to another log, which is told here when it is done with; null: our own. */
  readonly giveBack: GiveBack | null;
  /** Its owner may still be writing to it, and this log continues in it. */
  growing: boolean;
  /** The last view of it, and the entries that are its beginning and its end. */
  view: Uint8Array;
  viewFrom: number;
  viewEnd: number;
}

/** Whether a segment holds nothing from entry `min` on, and never will. */
function isOver(segment: Segment, min: number): boolean {
  return segment.endEntry <= min && !segment.growing;
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
  /** Segments that this log has no use for any more, but others have. */
  readonly #lent = new Map<number, Segment>();
  #nextSegment = 0;
  #segmentSize = MIN_SEGMENT_BYTES;
  #bytes = 0;

  #mask = INITIAL_ENTRIES - 1;
  #timestamps = new Float64Array(INITIAL_ENTRIES);
  #arrivals = new Float64Array(INITIAL_ENTRIES);
  #offsets = new Float64Array(INITIAL_ENTRIES);
  #flags = new Uint8Array(INITIAL_ENTRIES);
  #newestAudioTime = 0;
  #newestVideoTime = 0;

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

  /** Whether an entry is a frame, and no header or metadata. */
  isFrame(entry: number): boolean {
    const flags = this.flagsAt(entry);
    return (flags & (Entry.AUDIO | Entry.VIDEO)) !== 0 && (flags & Entry.HEADER) === 0;
  }

  /**
   * How much stream time there is after an entry, ms: up to the newest of the same kind, as audio and
   * video may lie apart. For frames (`isFrame`).
   */
  spanAfter(entry: number): number {
    const isVideo = (this.flagsAt(entry) & Entry.VIDEO) !== 0;
    return (isVideo ? this.#newestVideoTime : this.#newestAudioTime) - this.timestampAt(entry);
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
    this.#offsets[entry & this.#mask] = segment.used;
    this.#note(entry, flags, timestamp, nowMs);
    segment.used += size;
    segment.endEntry = ++this.head;
    return entry;
  }

  /**
   * An entry without bytes, for a message that no player is going to read, and its number. Everything
   * before it is trimmed.
   */
  pass(flags: number, timestamp: number, nowMs: number): number {
    const entry = this.head;
    if (this.#segments.length > 0) this.trim(entry);
    this.#note(entry, flags, timestamp, nowMs);
    this.tail = ++this.head;
    return entry;
  }

  #note(entry: number, flags: number, timestamp: number, nowMs: number): void {
    const slot = entry & this.#mask;
    this.#timestamps[slot] = timestamp;
    this.#arrivals[slot] = nowMs;
    this.#flags[slot] = flags;
    if (flags & Entry.HEADER) return;
    if (flags & Entry.VIDEO) this.#newestVideoTime = timestamp;
    else if (flags & Entry.AUDIO) this.#newestAudioTime = timestamp;
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

  /** The entries from `from` on that lie in one segment. */
  pieceAt(from: number): LogPiece {
    const { number, bytes, endEntry } = this.#segmentOf(from);
    return { segment: number, bytes, at: this.#offsets[from & this.#mask], end: endEntry };
  }

  /** Bytes of an entry. */
  sizeOf(entry: number): number {
    const { endEntry, used } = this.#segmentOf(entry);
    const end = entry + 1 === endEntry ? used : this.#offsets[(entry + 1) & this.#mask];
    return end - this.#offsets[entry & this.#mask];
  }

  /** Another log adopts the segment of an entry: its memory is not used again before `returned`. */
  lend(entry: number): void {
    this.#segmentOf(entry).lent++;
  }

  /** A log that had adopted a segment is done with it. */
  returned(number: number, held: boolean): void {
    const segment = this.#lent.get(number) ?? this.#segments.find((own) => own.number === number);
    if (!segment) return;
    segment.lent--;
    if (held) segment.held = true;
    if (segment.lent === 0 && this.#lent.delete(number)) this.#release(segment);
  }

  /**
   * Goes on in another log's memory: the messages of the `commit`s that follow lie there already, the
   * first at byte `at`. `giveBack` is called once when none of them is needed any more.
   */
  adopt(bytes: Uint8Array, at: number, nowMs: number, giveBack: GiveBack): void {
    this.#open(bytes, at, nowMs, giveBack);
  }

  /** Nothing follows any more in the memory that was adopted last. */
  seal(): void {
    const last = this.#segments.at(-1);
    if (last) last.growing = false;
  }

  /** Whether `trim(min)` would free anything. */
  canTrim(min: number): boolean {
    return this.#segments.length > 0 && isOver(this.#segments[0], min) && min > this.tail;
  }

  /** A write of the bytes from this entry on is in flight: their memory must not be used again. */
  hold(entry: number): void {
    if (entry >= this.tail && entry < this.head) this.#segmentOf(entry).held = true;
  }

  /** Lets go of the segments that hold nothing from `min` on. */
  trim(min: number): void {
    while (this.#segments.length > 0 && isOver(this.#segments[0], min)) {
      const [segment] = this.#segments.splice(0, 1);
      this.tail = Math.max(this.tail, segment.endEntry);
      this.#bytes -= segment.bytes.length;
      if (segment.lent > 0) this.#lent.set(segment.number, segment);
      else this.#release(segment);
    }
  }

  #release(segment: Segment): void {
    if (segment.giveBack) segment.giveBack(segment.held);
    else if (!segment.held) this.#pool.give(segment.bytes);
  }

  #room(size: number, nowMs: number): Segment {
    const last = this.#segments.at(-1);
    if (last && !last.giveBack) {
      if (last.bytes.length - last.used >= size) return last;
      this.#adaptSize(nowMs - last.openedAt);
    }
    return this.#open(this.#pool.take(Math.max(size, this.#segmentSize)), 0, nowMs, null);
  }

  #open(bytes: Uint8Array, at: number, nowMs: number, giveBack: GiveBack | null): Segment {
    this.seal();
    const segment: Segment = {
      number: this.#nextSegment++,
      bytes,
      firstEntry: this.head,
      endEntry: this.head,
      used: at,
      openedAt: nowMs,
      held: false,
      lent: 0,
      giveBack,
      growing: giveBack !== null,
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
