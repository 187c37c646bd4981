/**
 * How a stream gets from the thread of its publisher to the players of another one. Its messages lie in
 * shared memory and are never copied; what is posted is where they lie.
 *
 *     owner's log  --- Outlet ---> feed messages ---> Inlet --->  mirror: a log over the same memory
 *                       <--- segments that the mirror is done with ---
 *
 * @module
 */

import type { BroadcastLog } from "../log/broadcast_log.ts";
import type { Clock } from "../clock.ts";
import type { Follower } from "../follow/follower.ts";
import { HeaderCache, type HeaderSnapshot } from "../ingest/header_cache.ts";
import type { Ingest } from "../ingest/ingest.ts";
import { MAX_LENT_BYTES } from "../limits.ts";
import type { LiveStream } from "../live_stream.ts";

/** Numbers that stand for one entry in `FeedPiece.entries`: bytes, flags, stream ms, age in ms. */
const FIELDS = 4;

/** No entry, no segment. */
const NONE = -1;

/** Messages that lie behind one another in one segment. */
interface FeedPiece {
  /** The segment's number in its owner's log. */
  readonly segment: number;
  /** Its memory; null: it is the same as in the piece before, and the messages follow those. */
  readonly memory: ArrayBufferLike | null;
  /** Where the first message begins. */
  readonly at: number;
  /** `FIELDS` numbers for each message. */
  readonly entries: readonly number[];
}

/** What has come since the last time. */
interface FeedPart {
  readonly pieces: readonly FeedPiece[];
  /** Null: as before. */
  readonly headers: HeaderSnapshot | null;
  /** Players have not got these headers with the messages. */
  readonly tell: boolean;
  /** Entries are counted from the first one of this part; null: there is none. */
  readonly newestKeyframe: number | null;
  readonly gopStart: number | null;
  readonly hasPictures: boolean;
  /** The first entry that players which wait for a keyframe go on from. */
  readonly goOn: number | null;
  /** Present and highest stream time, ms. */
  readonly time: number;
  readonly highest: number;
  /** Timestamps are the publisher's own, those of metadata too. */
  readonly absolute: boolean;
}

/** From an outlet to its inlet, in order. */
export type FeedMessage =
  | {
    readonly kind: "begin";
    /** Grows from publisher to publisher, whichever thread they are in. */
    readonly epoch: number;
    /** Number of the outlet, for the segments that go back to it. */
    readonly outlet: number;
    readonly part: FeedPart;
  }
  | { readonly kind: "more"; readonly part: FeedPart }
  /** `ended`: players are to be told. */
  | { readonly kind: "end"; readonly ended: boolean };

let nextOutlet = 1;

/** The owner's side: follows the stream for all players of another thread. */
export class Outlet implements Follower {
  readonly reads = true;
  /** It is its players that need the stream. */
  readonly needsStream = false;
  /** Not given to any other outlet of this thread. */
  readonly number = nextOutlet++;
  /** Players on the other side. */
  audience = 0;

  readonly #source: LiveStream;
  readonly #epoch: () => number;
  readonly #post: (message: FeedMessage) => void;
  /** Somebody publishes. */
  #active = false;
  #cursor = 0;
  /** The mirror has too much, or waits for a keyframe: it gets nothing. */
  #suspended = false;
  #goOn = NONE;
  #tell = false;
  #sentHeaders: HeaderCache | null = null;
  #sentVersion = 0;
  /** The segment that the mirror goes on in; `NONE`: what comes next does not follow the last. */
  #segment = NONE;
  /** Bytes of the segments that the mirror has, by number; one may be there more than once. */
  readonly #lent = new Map<number, { bytes: number; times: number }>();
  #lentBytes = 0;

  /** `epoch`: number of the claim by which this thread publishes. */
  constructor(
    source: LiveStream,
    epoch: () => number,
    post: (message: FeedMessage) => void,
  ) {
    this.#source = source;
    this.#epoch = epoch;
    this.#post = post;
  }

  /** The first entry that is still to be posted; Infinity: none is. */
  get cursor(): number {
    return this.#active && !this.#suspended ? this.#cursor : Infinity;
  }

  /** Somebody publishes: the mirror gets what a joining player would, then what comes. */
  begin(): void {
    const { log, gop } = this.#source;
    this.#active = true;
    this.#cursor = gop.start >= 0 ? gop.start : log.head;
    this.#suspended = false;
    this.#segment = this.#goOn = NONE;
    this.#sentHeaders = null;
    this.#tell = true;
    this.#post({ kind: "begin", epoch: this.#epoch(), outlet: this.number, part: this.#part() });
  }

  /** Nobody publishes any more. */
  end(ended = false): void {
    if (!this.#active) return;
    this.pull();
    this.#active = false;
    this.#post({ kind: "end", ended });
  }

  /** Something new may be in the log. */
  pull(): void {
    if (!this.#active) return;
    if (this.#suspended && !this.#source.gop.hasPictures) this.resumeAt(this.#source.log.head);
    if (this.#suspended) return;
    if (this.#cursor === this.#source.log.head && this.#goOn === NONE) return;
    if (this.#lentBytes > MAX_LENT_BYTES) this.#suspended = true;
    else this.#post({ kind: "more", part: this.#part() });
  }

  /** Players that wait for it may go on from entry `entry`. */
  resumeAt(entry: number): void {
    if (!this.#active) return;
    if (!this.#suspended) {
      if (this.#goOn === NONE) this.#goOn = entry;
    } else if (this.#lentBytes <= MAX_LENT_BYTES / 2) {
      this.#suspended = false;
      this.#cursor = this.#goOn = entry;
      this.#segment = NONE;
      this.#tell = true;
    }
  }

  /** What it has not posted is bounded by `MAX_LENT_BYTES`, and by what one read brings. */
  checkLag(): void {}

  dropBacklog(): void {}

  /** Segments that the mirror has are lent. */
  trimming(): void {}

  /** The mirror is done with a segment. */
  returned(segment: number, held: boolean): void {
    const lent = this.#lent.get(segment);
    if (!lent) return;
    this.#lentBytes -= lent.bytes;
    if (--lent.times === 0) this.#lent.delete(segment);
    this.#source.log.returned(segment, held);
  }

  /** There is no mirror any more. What it had may still be on its way to players. */
  close(): void {
    this.#active = false;
    for (const [segment, { times }] of this.#lent) {
      for (let i = 0; i < times; i++) this.#source.log.returned(segment, true);
    }
    this.#lent.clear();
    this.#lentBytes = 0;
  }

  #part(): FeedPart {
    const { log, gop } = this.#source;
    const { headers, ingest: { timeline, absolute } } = this.#source;
    const first = this.#cursor;
    const relative = (entry: number) => entry === NONE ? null : entry - first;
    const pieces: FeedPiece[] = [];
    while (this.#cursor < log.head) pieces.push(this.#piece());
    const changed = headers !== this.#sentHeaders || headers.version !== this.#sentVersion;
    this.#sentHeaders = headers;
    this.#sentVersion = headers.version;
    const part: FeedPart = {
      pieces,
      headers: changed ? headers.snapshot() : null,
      tell: changed && this.#tell,
      newestKeyframe: relative(gop.newestKeyframe),
      gopStart: relative(gop.start),
      hasPictures: gop.hasPictures,
      goOn: relative(this.#goOn),
      time: timeline.last,
      highest: timeline.highest,
      absolute,
    };
    this.#goOn = NONE;
    this.#tell = false;
    return part;
  }

  #piece(): FeedPiece {
    const { log } = this.#source;
    const { segment, bytes, at, end } = log.pieceAt(this.#cursor);
    const isNew = segment !== this.#segment;
    if (isNew) this.#lend(segment, bytes.length);
    const now = this.#source.clock.now();
    const entries: number[] = [];
    for (; this.#cursor < end; this.#cursor++) {
      const entry = this.#cursor;
      const age = now - log.arrivalAt(entry);
      entries.push(log.sizeOf(entry), log.flagsAt(entry), log.timestampAt(entry), age);
    }
    return { segment, memory: isNew ? bytes.buffer : null, at, entries };
  }

  #lend(segment: number, bytes: number): void {
    this.#segment = segment;
    this.#source.log.lend(this.#cursor);
    const known = this.#lent.get(segment);
    if (known) known.times++;
    else this.#lent.set(segment, { bytes, times: 1 });
    this.#lentBytes += bytes;
  }
}

/** What an inlet has to know of the stream that it adds entries to. */
export interface CopyTarget {
  readonly log: BroadcastLog;
  readonly clock: Pick<Clock, "now">;
  readonly ingest: Pick<
    Ingest,
    | "gop"
    | "headers"
    | "timeline"
    | "absolute"
    | "keepTimestamps"
    | "repeatHeaders"
    | "noteAdopted"
  >;
  /** Entries have been added. */
  appended(): void;
  resumeAt(entry: number): void;
}

/** The mirror's side. */
export class Inlet {
  readonly #target: CopyTarget;
  readonly #giveBack: (segment: number, held: boolean) => void;

  /** `giveBack` is told which segments of the owner are not needed any more. */
  constructor(target: CopyTarget, giveBack: (segment: number, held: boolean) => void) {
    this.#target = target;
    this.#giveBack = giveBack;
  }

  /** Takes over what has come. */
  take(part: FeedPart): void {
    const { log, ingest } = this.#target;
    const { gop } = ingest;
    if (part.headers) ingest.headers = HeaderCache.from(part.headers);
    if (part.absolute && !ingest.absolute) ingest.keepTimestamps();
    const { timeline } = ingest;
    timeline.follow(part.time, part.highest);
    if (part.tell) ingest.repeatHeaders(part.pieces[0]?.entries[2] ?? timeline.now);
    const first = log.head;
    // What was freed here for want of room is gone, whatever its owner still has.
    const local = (entry: number | null) =>
      entry === null || entry + first < log.tail ? NONE : entry + first;
    for (const piece of part.pieces) this.#add(piece);
    gop.mirror(local(part.newestKeyframe), local(part.gopStart), part.hasPictures);
    if (part.goOn === null) return;
    this.#target.appended();
    this.#target.resumeAt(first + part.goOn);
  }

  #add({ segment, memory, at, entries }: FeedPiece): void {
    const { log, ingest } = this.#target;
    const now = this.#target.clock.now();
    if (memory) {
      log.adopt(new Uint8Array(memory), at, now, (held) => this.#giveBack(segment, held));
    }
    for (let i = 0; i < entries.length; i += FIELDS) {
      const flags = entries[i + 1];
      const entry = log.commit(entries[i], flags, entries[i + 2], now - entries[i + 3]);
      ingest.noteAdopted(entry, flags);
    }
  }
}

/** A stream as the copy of one that is published in another thread. */
export class Mirror {
  readonly #stream: LiveStream;
  #inlet: Inlet | null = null;

  constructor(stream: LiveStream) {
    this.#stream = stream;
  }

  /**
   * What comes from the publisher's thread. `giveBack` is told which of its segments are not needed any
   * more.
   */
  take(message: FeedMessage, giveBack: (segment: number, held: boolean) => void): void {
    if (message.kind === "end") return this.end(message.ended);
    if (message.kind === "begin") {
      this.#stream.beginCopy();
      this.#inlet = new Inlet(this.#stream, giveBack);
    }
    if (!this.#inlet) return;
    this.#inlet.take(message.part);
    this.#stream.copied();
  }

  /** The publisher in another thread has gone, or that thread has. */
  end(ended = false): void {
    if (!this.#inlet) return;
    this.#inlet = null;
    this.#stream.endCopy(ended);
  }
}
