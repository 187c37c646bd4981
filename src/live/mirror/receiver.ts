/**
 * The mirror's side: what is published in another thread becomes a log over the same memory in this one.
 * @module
 */

import type { Clock } from "../clock.ts";
import { HeaderCache } from "../ingest/header_cache.ts";
import type { Ingest } from "../ingest/ingest.ts";
import type { LiveStream } from "../stream/live_stream.ts";
import type { BroadcastLog } from "../log/broadcast_log.ts";
import { FIELDS, type MirrorMessage, type MirrorPart, type MirrorPiece } from "./message.ts";

/** No entry, no segment. */
const NONE = -1;

/** What an receiver has to know of the stream that it adds entries to. */
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
export class MirrorReceiver {
  readonly #target: CopyTarget;
  readonly #giveBack: (segment: number, held: boolean) => void;

  /** `giveBack` is told which segments of the owner are not needed any more. */
  constructor(target: CopyTarget, giveBack: (segment: number, held: boolean) => void) {
    this.#target = target;
    this.#giveBack = giveBack;
  }

  /** Takes over what has come. */
  take(part: MirrorPart): void {
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
    gop.mirror(local(part.newestKeyframe), local(part.gopStart), part.hasVideo);
    if (part.resumeAt === null) return;
    this.#target.appended();
    this.#target.resumeAt(first + part.resumeAt);
  }

  #add({ segment, memory, at, entries }: MirrorPiece): void {
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
  #receiver: MirrorReceiver | null = null;

  constructor(stream: LiveStream) {
    this.#stream = stream;
  }

  /**
   * What comes from the publisher's thread. `giveBack` is told which of its segments are not needed any
   * more.
   */
  take(message: MirrorMessage, giveBack: (segment: number, held: boolean) => void): void {
    if (message.kind === "end") return this.end(message.ended);
    if (message.kind === "begin") {
      this.#stream.beginCopy();
      this.#receiver = new MirrorReceiver(this.#stream, giveBack);
    }
    if (!this.#receiver) return;
    this.#receiver.take(message.part);
    this.#stream.copied();
  }

  /** The publisher in another thread has gone, or that thread has. */
  end(ended = false): void {
    if (!this.#receiver) return;
    this.#receiver = null;
    this.#stream.endCopy(ended);
  }
}
