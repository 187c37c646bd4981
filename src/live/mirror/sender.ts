/**
 * The owner's side of a mirror: what is published in this thread goes to one other thread.
 * @module
 */

import type { Follower } from "../follow/follower.ts";
import type { HeaderCache } from "../ingest/header_cache.ts";
import { MAX_LENT_BYTES } from "../limits.ts";
import type { LiveStream } from "../stream/live_stream.ts";
import type { MirrorMessage, MirrorPart, MirrorPiece } from "./message.ts";

/** No entry, no segment. */
const NONE = -1;

let nextOutlet = 1;

/** The owner's side: follows the stream for all players of another thread. */
export class MirrorSender implements Follower {
  readonly reads = true;
  /** It is its players that need the stream. */
  readonly needsStream = false;
  /** Not given to any other sender of this thread. */
  readonly number = nextOutlet++;
  /** Players on the other side. */
  audience = 0;

  readonly #source: LiveStream;
  readonly #epoch: () => number;
  readonly #post: (message: MirrorMessage) => void;
  /** The stream has a publisher. */
  #active = false;
  #cursor = 0;
  /** The mirror has too much, or waits for a keyframe: it gets nothing. */
  #suspended = false;
  #resumeAt = NONE;
  #tell = false;
  #sentHeaders: HeaderCache | null = null;
  #sentVersion = 0;
  /** The segment in which the mirror continues; `NONE`: what comes next does not follow the last. */
  #segment = NONE;
  /** Bytes of the segments that the mirror has, by number; one may be there more than once. */
  readonly #lent = new Map<number, { bytes: number; times: number }>();
  #lentBytes = 0;

  /** `epoch`: number of the claim by which this thread publishes. */
  constructor(
    source: LiveStream,
    epoch: () => number,
    post: (message: MirrorMessage) => void,
  ) {
    this.#source = source;
    this.#epoch = epoch;
    this.#post = post;
  }

  /** The first entry that is still to be posted; Infinity: none is. */
  get cursor(): number {
    return this.#active && !this.#suspended ? this.#cursor : Infinity;
  }

  /** A publisher begins: the mirror gets what a joining player would, then what comes. */
  begin(): void {
    const { log, gop } = this.#source;
    this.#active = true;
    this.#cursor = gop.start >= 0 ? gop.start : log.head;
    this.#suspended = false;
    this.#segment = this.#resumeAt = NONE;
    this.#sentHeaders = null;
    this.#tell = true;
    this.#post({ kind: "begin", epoch: this.#epoch(), sender: this.number, part: this.#part() });
  }

  /** The publisher has gone. */
  end(ended = false): void {
    if (!this.#active) return;
    this.pull();
    this.#active = false;
    this.#post({ kind: "end", ended });
  }

  /** Something new may be in the log. */
  pull(): void {
    if (!this.#active) return;
    if (this.#suspended && !this.#source.gop.hasVideo) this.resumeAt(this.#source.log.head);
    if (this.#suspended) return;
    if (this.#cursor === this.#source.log.head && this.#resumeAt === NONE) return;
    if (this.#lentBytes > MAX_LENT_BYTES) this.#suspended = true;
    else this.#post({ kind: "more", part: this.#part() });
  }

  /** Players that wait for it may go on from entry `entry`. */
  resumeAt(entry: number): void {
    if (!this.#active) return;
    if (!this.#suspended) {
      if (this.#resumeAt === NONE) this.#resumeAt = entry;
    } else if (this.#lentBytes <= MAX_LENT_BYTES / 2) {
      this.#suspended = false;
      this.#cursor = this.#resumeAt = entry;
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

  #part(): MirrorPart {
    const { log, gop } = this.#source;
    const { headers, ingest: { timeline, absolute } } = this.#source;
    const first = this.#cursor;
    const relative = (entry: number) => entry === NONE ? null : entry - first;
    const pieces: MirrorPiece[] = [];
    while (this.#cursor < log.head) pieces.push(this.#piece());
    const changed = headers !== this.#sentHeaders || headers.version !== this.#sentVersion;
    this.#sentHeaders = headers;
    this.#sentVersion = headers.version;
    const part: MirrorPart = {
      pieces,
      headers: changed ? headers.snapshot() : null,
      tell: changed && this.#tell,
      newestKeyframe: relative(gop.newestKeyframe),
      gopStart: relative(gop.start),
      hasVideo: gop.hasVideo,
      resumeAt: relative(this.#resumeAt),
      time: timeline.last,
      highest: timeline.highest,
      absolute,
    };
    this.#resumeAt = NONE;
    this.#tell = false;
    return part;
  }

  #piece(): MirrorPiece {
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
