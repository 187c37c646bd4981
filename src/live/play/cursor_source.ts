/**
 * What the cursors into one log ask: how far they are behind, where they resume, which headers they need.
 * @module
 */

import type { PlayConfig } from "../../config/types.ts";
import { type BroadcastLog, Entry } from "../log/broadcast_log.ts";
import type { Clock } from "../clock.ts";
import type { Gop } from "../ingest/gop.ts";
import type { MessageFormat } from "../log/message_format.ts";
import type { Player, PlayerSource } from "./player.ts";
import type { StreamStats } from "../stream_stats.ts";

/** What the readers of a stream have in common. */
export interface ReadStream {
  readonly play: PlayConfig;
  readonly clock: Clock;
  readonly gop: Gop;
  readonly stats: StreamStats;
  /** The stream has a publisher. */
  readonly active: boolean;
  /** Not every entry is for every player. */
  readonly hasTracks: boolean;
  /** The newest entry that decoders need before all others; -1: none. */
  readonly lastHeaderEntry: number;
  /** The stream's present time, ms. */
  readonly time: number;
  /** Metadata and sequence headers at a stream time, without those that have any flag of `skip`. */
  headerBytes(format: MessageFormat, time: number, skip: number): Uint8Array;
}

/** The cursors into one log, in one format. */
export abstract class CursorSource implements PlayerSource {
  readonly log: BroadcastLog;
  protected readonly stream: ReadStream;
  readonly #format: MessageFormat;

  constructor(stream: ReadStream, log: BroadcastLog, format: MessageFormat) {
    this.stream = stream;
    this.log = log;
    this.#format = format;
  }

  abstract flushPlayer(player: Player): void;

  /** The entry that a new cursor begins at: the last keyframe (`gop_cache`), or the next message. */
  get joinPoint(): number {
    const { active, gop } = this.stream;
    return active && gop.start >= 0 ? gop.start : this.log.head;
  }

  /** The stream has a publisher. */
  get active(): boolean {
    return this.stream.active;
  }

  /** ms of stream that a player may lag. */
  get queueLengthMs(): number {
    return this.stream.play.queueLengthMs;
  }

  /** What is counted. */
  get stats(): StreamStats {
    return this.stream.stats;
  }

  /** Not every entry is for every player. */
  get hasTracks(): boolean {
    return this.stream.hasTracks;
  }

  /** How far entry `entry` is behind the head, ms: by stream time or by the clock, whichever is more. */
  lagOf(entry: number): number {
    const { log } = this;
    let frame = entry;
    while (frame < log.head && !log.isFrame(frame)) frame++;
    const spanMs = frame < log.head ? log.spanAfter(frame) : 0;
    return Math.max(spanMs, this.stream.clock.now() - log.arrivalAt(entry));
  }

  /** Where a player at `cursor` that lags too far resumes; null: it must wait for a keyframe. */
  resumePoint(cursor: number): number | null {
    const { gop } = this.stream;
    const keyframe = gop.newestKeyframe;
    if (keyframe > cursor && this.lagOf(keyframe) <= this.queueLengthMs) return keyframe;
    return gop.hasVideo ? null : this.log.head;
  }

  /**
   * Where a sink that is at the beginning of a stream can start, at entry `from` or later: at the first
   * keyframe, with the audio that came before it; with `newest` at the last one. Null: it must wait for
   * the next keyframe.
   */
  startPoint(from: number, newest: boolean): number | null {
    const { gop } = this.stream;
    const { head } = this.log;
    if (newest && gop.newestKeyframe >= from) return gop.newestKeyframe;
    let picture = this.log.nextWith(Entry.VIDEO, from, head);
    while (picture < head && (this.log.flagsAt(picture) & Entry.HEADER) !== 0) {
      picture = this.log.nextWith(Entry.VIDEO, picture + 1, head);
    }
    if (picture === head) return gop.hasVideo ? null : from;
    if ((this.log.flagsAt(picture) & Entry.KEYFRAME) !== 0) return from;
    const keyframe = this.log.nextWith(Entry.KEYFRAME, picture, head);
    return keyframe < head ? keyframe : null;
  }

  /** Whether headers came in at entry `entry` or later. */
  headersChangedSince(entry: number): boolean {
    return this.stream.lastHeaderEntry >= entry;
  }

  /**
   * Metadata and sequence headers, stamped with a stream time in ms; `skip`: `Entry` bits to leave out.
   */
  headerBytes(time: number, skip: number): Uint8Array {
    return this.stream.headerBytes(this.#format, time, skip);
  }

  /** Stream time of an entry; the present time for one that is still to come. */
  timeAt(entry: number): number {
    return entry < this.log.head ? this.log.timestampAt(entry) : this.stream.time;
  }
}
