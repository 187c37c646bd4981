/**
 * A stream in one format: the log of its bytes, and the players that are served from it. A stream has
 * one of RTMP chunks and, while somebody plays that, one of FLV tags. An entry has the same number in
 * all of them.
 * @module
 */

import type { PlayConfig } from "../config/types.ts";
import { type BroadcastLog, Entry } from "./broadcast_log.ts";
import type { Clock } from "./clock.ts";
import { Flusher } from "./flusher.ts";
import type { Gop } from "./gop.ts";
import type { MessageFormat } from "./message_format.ts";
import type { Pacer, PacerSettings } from "./pacer.ts";
import { Player, type PlayerOptions, type PlayerSink } from "./player.ts";
import type { StreamStats } from "./stream_stats.ts";

/** What the renditions of a stream have in common. */
export interface RenditionSource {
  readonly play: PlayConfig;
  readonly clock: Clock;
  readonly gop: Gop;
  readonly stats: StreamStats;
  /** Somebody publishes. */
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

/** One format of a stream, and its players. */
export class Rendition {
  readonly log: BroadcastLog;
  readonly players: Player[] = [];
  readonly flusher: Flusher;
  readonly #source: RenditionSource;
  readonly #format: MessageFormat;
  readonly #pacer: Pacer;

  constructor(source: RenditionSource, log: BroadcastLog, format: MessageFormat, pacer: Pacer) {
    this.#source = source;
    this.#format = format;
    this.#pacer = pacer;
    this.log = log;
    const { clock, play, stats } = source;
    this.flusher = new Flusher(
      log,
      this.players,
      clock,
      pacer,
      play.sendMinIntervalMs,
      stats.delays,
    );
  }

  /** Other settings. What they would have sent already goes out: a timer may be running that is too slow. */
  configure(settings: PacerSettings): void {
    this.#pacer.settings = settings;
    this.flusher.oneEachMs = settings.sendMinIntervalMs;
    this.flusher.flush();
  }

  /** A new player, from the last keyframe (`gop_cache`) or from the next message on. */
  add(sink: PlayerSink, options: PlayerOptions): Player {
    const { active, gop } = this.#source;
    const cursor = active && gop.start >= 0 ? gop.start : this.log.head;
    const player = new Player(this, sink, options, cursor);
    this.players.push(player);
    return player;
  }

  /** A new player gets the headers and what it starts with. */
  begin(player: Player): void {
    if (this.#source.active) player.sendHeaders();
    this.flushPlayer(player);
  }

  /** A player leaves; false when it is none of these. */
  remove(player: Player): boolean {
    const at = this.players.indexOf(player);
    if (at < 0) return false;
    // Its socket may still be sending: that memory is not to be used again.
    if (player.inFlight >= 0) this.log.hold(player.inFlight);
    const last = this.players.pop();
    if (last && last !== player) this.players[at] = last;
    return true;
  }

  /** Flushes what is new, now or when the pacer says. `newestVideo`: entry of the newest picture. */
  settle(newestVideo: number): void {
    this.flusher.settle(this.#source.gop.hasPictures && newestVideo < this.flusher.flushed);
  }

  /** Nobody publishes any more: what is left goes out. */
  stop(): void {
    this.flusher.stopped = true;
    this.flusher.flush();
  }

  /** Moves players on that do not keep up. */
  checkLag(): void {
    const { offered } = this.flusher;
    this.#each((player) => player.cursor < offered && player.checkLag());
  }

  /** Moves all players on that have not had everything. */
  dropBacklog(): void {
    const { offered } = this.flusher;
    this.#each((player) => player.cursor < offered && player.drop());
  }

  /** Players that wait for it go on from entry `entry`. */
  goOn(entry: number): void {
    this.#each((player) => player.goOn(entry));
  }

  /** Backwards: a player whose socket fails leaves in the middle of this. */
  #each(task: (player: Player) => void): void {
    for (let i = this.players.length - 1; i >= 0; i--) task(this.players[i]);
  }

  /** Frees what nobody needs. `most`: the first entry that somebody else needs. */
  free(most = Infinity): void {
    const { log } = this;
    const { start } = this.#source.gop;
    let min = Math.min(start >= 0 ? start : log.head, this.flusher.flushed, most);
    for (const player of this.players) if (player.cursor < min) min = player.cursor;
    if (!log.canTrim(min)) return;
    for (const player of this.players) {
      if (player.inFlight >= 0 && player.inFlight < min) log.hold(player.inFlight);
    }
    log.trim(min);
  }

  // ---- what players ask

  /** ms of stream that a player may lag. */
  get queueLengthMs(): number {
    return this.#source.play.queueLengthMs;
  }

  /** What is counted. */
  get stats(): StreamStats {
    return this.#source.stats;
  }

  /** Not every entry is for every player. */
  get hasTracks(): boolean {
    return this.#source.hasTracks;
  }

  /** Brings one player up to what the others have been sent. */
  flushPlayer(player: Player): void {
    this.flusher.serve(player);
  }

  /** How far entry `entry` is behind the head, ms: by stream time or by the clock, whichever is more. */
  lagOf(entry: number): number {
    const { log } = this;
    let frame = entry;
    while (frame < log.head && !log.isFrame(frame)) frame++;
    const spanMs = frame < log.head ? log.spanAfter(frame) : 0;
    return Math.max(spanMs, this.#source.clock.now() - log.arrivalAt(entry));
  }

  /** Where a player at `cursor` that lags too far goes on; null: it must wait for a keyframe. */
  resumePoint(cursor: number): number | null {
    const { gop } = this.#source;
    const keyframe = gop.newestKeyframe;
    if (keyframe > cursor && this.lagOf(keyframe) <= this.queueLengthMs) return keyframe;
    return gop.hasPictures ? null : this.log.head;
  }

  /**
   * Where a sink that is at the beginning of a stream can start, at entry `from` or later: at the first
   * keyframe, with the sound that came before it; with `newest` at the last one. Null: it must wait for
   * the next keyframe.
   */
  startPoint(from: number, newest: boolean): number | null {
    const { gop } = this.#source;
    const { head } = this.log;
    if (newest && gop.newestKeyframe >= from) return gop.newestKeyframe;
    let picture = this.log.nextWith(Entry.VIDEO, from, head);
    while (picture < head && (this.log.flagsAt(picture) & Entry.HEADER) !== 0) {
      picture = this.log.nextWith(Entry.VIDEO, picture + 1, head);
    }
    if (picture === head) return gop.hasPictures ? null : from;
    if ((this.log.flagsAt(picture) & Entry.KEYFRAME) !== 0) return from;
    const keyframe = this.log.nextWith(Entry.KEYFRAME, picture, head);
    return keyframe < head ? keyframe : null;
  }

  /** Whether headers came in at entry `entry` or later. */
  headersChangedSince(entry: number): boolean {
    return this.#source.lastHeaderEntry >= entry;
  }

  /** Metadata and sequence headers, stamped with a stream time in ms; `skip`: `Entry` bits to leave out. */
  headerBytes(time: number, skip: number): Uint8Array {
    return this.#source.headerBytes(this.#format, time, skip);
  }

  /** Stream time of an entry; the present time for one that is still to come. */
  timeAt(entry: number): number {
    return entry < this.log.head ? this.log.timestampAt(entry) : this.#source.time;
  }
}
