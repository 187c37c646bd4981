/**
 * One live stream: at most one publisher, any number of players, and the broadcast log between them
 * (spec: streaming §1-§6). It outlives its publisher: players wait for the next one.
 * @module
 */

import type { VhostConfig } from "../config/types.ts";
import { audioFlags, audioTrackId } from "../flv/audio_header.ts";
import { type AudioInfo, audioInfo, type VideoInfo, videoInfo } from "../flv/codec_info.ts";
import { ExPacketType, FrameFlag, JOIN_FLAGS } from "../flv/ex_header.ts";
import { readMetadata, writeMetadata } from "../flv/metadata.ts";
import { mainTrack } from "../flv/multitrack.ts";
import { videoFlags, videoTrackId } from "../flv/video_header.ts";
import { propertyOf } from "../rtmp/amf_access.ts";
import { wireSize, writeMessage } from "../rtmp/chunk_writer.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../rtmp/message.ts";
import { BroadcastLog, Entry } from "./broadcast_log.ts";
import type { Clock } from "./clock.ts";
import { Flusher } from "./flusher.ts";
import { Gop } from "./gop.ts";
import { type Audience, HeaderCache } from "./header_cache.ts";
import { MixQueue } from "./mix_queue.ts";
import { type FlushBudget, Pacer } from "./pacer.ts";
import { Player, type PlayerOptions, type PlayerSink } from "./player.ts";
import type { SegmentPool } from "./segment_pool.ts";
import { StreamStats } from "./stream_stats.ts";
import { STALLED_MS, TakeoverRule } from "./takeover.ts";
import { Timeline } from "./timeline.ts";

/**
 * Bytes that one stream's log may hold before slow players lose their backlog and joiners their GOP,
 * whatever `queue_length` says: half a minute at 17 Mbps, and bearable on a board with 1 GB.
 */
export const MAX_LOG_BYTES = 64 * 1024 * 1024;

/**
 * Timestamp of metadata, ms (SRS): ffmpeg's demuxer takes any other for a track of subtitles, and VLC,
 * waiting for those, shows the first picture for ever.
 */
const METADATA_TIME = 0;

/** Video messages with these flags show nothing. */
const NO_PICTURE = FrameFlag.COMMAND | FrameFlag.END_OF_SEQUENCE;

/** Tells headers of one kind, track and audience from all others. */
function headerKey(frame: number, track: number, audience: Audience): number {
  return (track * 256 + (frame & JOIN_FLAGS)) * 2 + (audience === "main track" ? 1 : 0);
}

/** What all streams of a process share. */
export interface LiveShared {
  readonly clock: Clock;
  readonly pool: SegmentPool;
  readonly budget: FlushBudget;
  /** Version of this server, for the metadata that players get. */
  readonly version: string;
}

/** Who publishes a stream. */
export interface Publisher {
  /** The peer's address. */
  readonly address: string;
  /** Clock ms at which it last sent anything. */
  readonly lastBytesAt: number;
  /** The stream has got its first player. */
  wanted(): void;
  /** Another publisher takes the stream over: ends this one, with `unpublish`, before it returns. */
  replaced(): void;
}

/** A live stream, keyed by `[vhost]/app/stream`. */
export class LiveStream {
  readonly key: string;
  readonly vhost: VhostConfig;
  readonly app: string;
  readonly name: string;
  /** The messages, as RTMP chunks of the vhost's chunk size. */
  readonly log: BroadcastLog;
  readonly stats = new StreamStats();
  /** Video messages with a picture that publishers have sent, all in all. */
  videoFrames = 0;
  /** It has had multitrack messages: not every entry of the log is for every player. */
  hasTracks = false;
  /** Since when (clock ms) nobody has played it; null while somebody does. */
  playerlessSince: number | null;
  /** Since when (clock ms) it has had neither publisher nor player; null while it has. */
  idleSince: number | null;

  readonly #shared: LiveShared;
  readonly #players: Player[] = [];
  readonly #pacer: Pacer;
  readonly #flusher: Flusher;
  readonly #gop: Gop;
  readonly #mix: MixQueue | null;
  #timeline: Timeline;
  /** Timestamps are the publisher's own, those of metadata too. */
  #absolute: boolean;
  #headers = new HeaderCache();
  #publisher: Publisher | null = null;
  readonly #takeover: TakeoverRule;
  /** Entry of the newest message with pictures. */
  #newestVideo = -1;
  #lastLogBytes = 0;

  #lastHeaderEntry = -1;

  constructor(
    shared: LiveShared,
    vhost: VhostConfig,
    app: string,
    name: string,
    key: string,
  ) {
    this.#shared = shared;
    this.vhost = vhost;
    this.app = app;
    this.name = name;
    this.key = key;
    this.log = new BroadcastLog(shared.pool);
    this.#pacer = new Pacer({ minLatency: vhost.minLatency, ...vhost.play }, shared.budget);
    const { gopCache, gopCacheMaxFrames, sendMinIntervalMs } = vhost.play;
    this.#flusher = new Flusher(
      this.log,
      this.#players,
      shared.clock,
      this.#pacer,
      sendMinIntervalMs,
      this.stats.delays,
    );
    this.#gop = new Gop(gopCache, gopCacheMaxFrames);
    this.#timeline = new Timeline(vhost.play.atc ? "off" : vhost.play.timeJitter);
    this.#absolute = vhost.play.atc || vhost.play.timeJitter === "off";
    this.#takeover = new TakeoverRule(vhost.publish.takeover);
    this.#mix = vhost.play.mixCorrect ? new MixQueue() : null;
    this.playerlessSince = this.idleSince = shared.clock.now();
  }

  /** Whether somebody publishes. */
  get active(): boolean {
    return this.#publisher !== null;
  }

  /** Players, the waiting ones included. */
  get playerCount(): number {
    return this.#players.length;
  }

  /** How far the players are behind, ms: the farthest, and how many of them more than `thresholdMs`. */
  lag(thresholdMs: number): { readonly mostMs: number; readonly players: number } {
    let mostMs = 0;
    let players = 0;
    for (const { lagMs } of this.#players) {
      if (lagMs > mostMs) mostMs = lagMs;
      if (lagMs > thresholdMs) players++;
    }
    return { mostMs, players };
  }

  /** ms of stream that a player may lag. */
  get queueLengthMs(): number {
    return this.vhost.play.queueLengthMs;
  }

  /** The stream's present time, ms. */
  get time(): number {
    return this.#timeline.now;
  }

  /** Metadata and sequence headers of the present publisher. */
  get headers(): HeaderCache {
    return this.#headers;
  }

  /** What is known of the pictures; null when nothing is, or nobody publishes. */
  get video(): VideoInfo | null {
    const header = this.active ? this.#headers.video : null;
    if (!header) return null;
    const info = videoInfo(header);
    if (this.vhost.publish.parseSps || !info) return info;
    return { ...info, width: null, height: null };
  }

  /** What is known of the sound; null when nothing is, or nobody publishes. */
  get audio(): AudioInfo | null {
    const header = this.active ? this.#headers.audio : null;
    return header ? audioInfo(header) : null;
  }

  /** ms between flushes at present; 0 = each message by itself. */
  get flushIntervalMs(): number {
    return this.#pacer.intervalMs;
  }

  // ---- publishing

  /**
   * A publisher takes the stream, from another one if `takeover` allows it; false when it is taken.
   */
  publish(publisher: Publisher): boolean {
    if (this.#publisher && !this.#putOut(this.#publisher, publisher.address)) return false;
    this.#publisher = publisher;
    this.#headers = new HeaderCache();
    this.#timeline.restart();
    this.#gop.restart();
    this.#flusher.stopped = false;
    this.playerlessSince = this.#players.length > 0 ? null : this.#shared.clock.now();
    this.idleSince = null;
    return true;
  }

  /** The publisher is gone. Players stay and get what has not been flushed yet. */
  unpublish(publisher: Publisher): void {
    if (this.#publisher !== publisher) return;
    this.#mix?.drain((type, timestamp, payload) => this.#accept(type, timestamp, payload));
    this.#publisher = null;
    this.#gop.forget();
    this.#flusher.stopped = true;
    this.#flusher.flush();
    this.#trim();
    this.#noteIdle();
  }

  /** An audio or video message from the publisher; the payload is borrowed and not empty. */
  media(type: number, timestamp: number, payload: Uint8Array): void {
    if (!this.#mix) return this.#accept(type, timestamp, payload);
    this.#mix.push(type, timestamp, payload, (t, at, bytes) => this.#accept(t, at, bytes));
  }

  /**
   * A data message (type 18 or 15) from the publisher. Only metadata goes on to the players; true if
   * it was that.
   * @throws {RtmpError} when it cannot be decoded; nothing has changed then.
   */
  data(type: number, timestamp: number, payload: Uint8Array): boolean {
    const fields = readMetadata(type, payload);
    if (!fields) return false;
    const { play } = this.vhost;
    if (play.atcAuto && !this.#absolute && propertyOf(fields, "bravo_atc") === "true") {
      this.#timeline = new Timeline("off");
      this.#absolute = true;
    }
    const metadata = writeMetadata(fields, this.#shared.version);
    const changed = this.#headers.setMetadata(metadata);
    if (!changed && play.reduceSequenceHeader) return true;
    this.#write(
      MessageType.DATA_AMF0,
      ChunkStream.DATA,
      this.#timeline.now,
      metadata,
      Entry.DATA | Entry.HEADER,
      this.#absolute ? timestamp : METADATA_TIME,
    );
    return true;
  }

  /** All that the publisher's socket had for now is in: flush, now or when the pacer says. */
  settle(): void {
    this.#flusher.settle(this.#gop.hasPictures && this.#newestVideo < this.#flusher.flushed);
  }

  // ---- playing

  /**
   * A player joins: it gets the headers, then the stream from the last keyframe (`gop_cache`) or from
   * the next message on. Without a publisher it waits for one.
   */
  join(sink: PlayerSink, options: PlayerOptions): Player {
    const fromGop = this.active && this.#gop.start >= 0;
    const cursor = fromGop ? this.#gop.start : this.log.head;
    const player = new Player(this, sink, options, cursor);
    this.#players.push(player);
    if (this.#players.length === 1) this.#publisher?.wanted();
    this.playerlessSince = this.idleSince = null;
    if (this.active) player.sendHeaders();
    this.flushPlayer(player);
    return player;
  }

  /** A player leaves. */
  leave(player: Player): void {
    const at = this.#players.indexOf(player);
    if (at < 0) return;
    // Its socket may still be sending: that memory is not to be used again.
    if (player.inFlight >= 0) this.log.hold(player.inFlight);
    const last = this.#players.pop();
    if (last && last !== player) this.#players[at] = last;
    if (this.#players.length === 0) this.playerlessSince = this.#shared.clock.now();
    this.#noteIdle();
  }

  /** Brings one player up to what the others have been sent. */
  flushPlayer(player: Player): void {
    this.#flusher.serve(player);
  }

  /** Once a second: moves players on that do not keep up, frees what nobody needs. */
  tick(): void {
    const { offered } = this.#flusher;
    for (const player of this.#players) if (player.cursor < offered) player.checkLag();
    this.#trim();
  }

  // ---- what players ask

  /** How far entry `entry` is behind the head, ms: by stream time or by the clock, whichever is more. */
  lagOf(entry: number): number {
    const { log } = this;
    const newest = log.head - 1;
    return Math.max(
      log.timestampAt(newest) - log.timestampAt(entry),
      this.#shared.clock.now() - log.arrivalAt(entry),
    );
  }

  /** Where a player at `cursor` that lags too far goes on; null: it must wait for a keyframe. */
  resumePoint(cursor: number): number | null {
    const keyframe = this.#gop.newestKeyframe;
    if (keyframe > cursor && this.lagOf(keyframe) <= this.queueLengthMs) return keyframe;
    return this.#gop.hasPictures ? null : this.log.head;
  }

  /** Whether headers came in at entry `entry` or later. */
  headersChangedSince(entry: number): boolean {
    return this.#lastHeaderEntry >= entry;
  }

  /** Metadata and sequence headers as bytes, stamped with a stream time in ms. */
  headerBytes(time: number, multitrack: boolean): Uint8Array {
    const metadataTime = this.#absolute ? time : METADATA_TIME;
    return this.#headers.encode(time, metadataTime, this.vhost.chunkSize, multitrack);
  }

  /** Stream time of an entry; the present time for one that is still to come. */
  timeAt(entry: number): number {
    return entry < this.log.head ? this.log.timestampAt(entry) : this.#timeline.now;
  }

  // ---- inside

  #accept(type: number, timestamp: number, payload: Uint8Array): void {
    if (type === MessageType.VIDEO) this.#acceptVideo(timestamp, payload);
    else this.#acceptAudio(timestamp, payload);
  }

  #acceptVideo(timestamp: number, payload: Uint8Array): void {
    const frame = videoFlags(payload);
    const isMain = !(frame & FrameFlag.SIDE_TRACK);
    let flags: number = Entry.VIDEO;
    if (frame & JOIN_FLAGS) {
      flags |= Entry.HEADER;
      const changed = this.#remember(MessageType.VIDEO, frame, videoTrackId(payload), payload);
      if (!changed && this.vhost.play.reduceSequenceHeader) return;
      // What was decodable with the old header is not with the new one.
      if (changed && isMain && (frame & FrameFlag.SEQUENCE_HEADER)) this.#gop.forget();
    } else if ((frame & FrameFlag.KEYFRAME) && isMain) {
      flags |= Entry.KEYFRAME;
    }
    const time = this.#timeline.stamp(timestamp, this.#shared.clock.now());
    const entry = this.#writeMedia(MessageType.VIDEO, time, payload, frame, flags);
    if (flags & Entry.HEADER) return;
    if (!(frame & NO_PICTURE)) this.videoFrames++;
    if (flags & Entry.KEYFRAME) {
      this.#gop.keyframe(entry);
      this.#goOn(entry);
    } else {
      this.#gop.picture();
    }
  }

  #acceptAudio(timestamp: number, payload: Uint8Array): void {
    const frame = audioFlags(payload);
    let flags: number = Entry.AUDIO;
    if (frame & JOIN_FLAGS) {
      flags |= Entry.HEADER;
      const changed = this.#remember(MessageType.AUDIO, frame, audioTrackId(payload), payload);
      if (!changed && this.vhost.play.reduceSequenceHeader) return;
    } else {
      this.#headers.noteAudio(payload);
    }
    const time = this.#timeline.stamp(timestamp, this.#shared.clock.now());
    const entry = this.#writeMedia(MessageType.AUDIO, time, payload, frame, flags);
    // The pictures have ended, or never were: nobody need wait for a keyframe.
    if (this.#gop.sound()) this.#goOn(entry);
  }

  /** Keeps a header for joiners, one of each kind for each track; false if it was known. */
  #remember(type: number, frame: number, track: number, payload: Uint8Array): boolean {
    const audience: Audience = frame & FrameFlag.MULTITRACK ? "multitrack" : "all";
    return this.#headers.set(type, headerKey(frame, track, audience), payload, audience);
  }

  /**
   * Writes an audio or video message; one with several tracks is followed by its main track alone, for
   * players that know no others (Q60). Returns the number of the first entry.
   */
  #writeMedia(
    type: number,
    time: number,
    payload: Uint8Array,
    frame: number,
    flags: number,
  ): number {
    const isVideo = type === MessageType.VIDEO;
    const chunkStream = isVideo ? ChunkStream.VIDEO : ChunkStream.AUDIO;
    if (!(frame & FrameFlag.MULTITRACK)) {
      return this.#write(type, chunkStream, time, payload, flags);
    }
    this.hasTracks = true;
    const entry = this.#write(type, chunkStream, time, payload, flags | Entry.MULTITRACK);
    const { VIDEO_MULTITRACK, AUDIO_MULTITRACK } = ExPacketType;
    const main = mainTrack(payload, isVideo ? VIDEO_MULTITRACK : AUDIO_MULTITRACK);
    if (main) {
      if (flags & Entry.HEADER) {
        this.#headers.set(type, headerKey(frame, 0, "main track"), main, "main track");
      }
      this.#write(type, chunkStream, time, main, flags | Entry.MAIN_TRACK);
    }
    return entry;
  }

  /**
   * Turns a message into wire bytes, once for all players. `time` is when it is due in the stream,
   * `stamp` what players are told, both ms.
   */
  #write(
    type: number,
    chunkStream: number,
    time: number,
    payload: Uint8Array,
    flags: number,
    stamp: number = time,
  ): number {
    const { chunkSize } = this.vhost;
    const now = this.#shared.clock.now();
    const size = wireSize(payload.length, stamp, chunkSize);
    const target = this.log.reserve(size, now);
    writeMessage(target, this.log.writeAt, chunkStream, type, stamp, STREAM_ID, payload, chunkSize);
    const entry = this.log.commit(size, flags, time, now);
    if (flags & Entry.HEADER) this.#lastHeaderEntry = entry;
    if (flags & Entry.VIDEO) this.#newestVideo = entry;
    if (this.log.bytes !== this.#lastLogBytes) this.#trim();
    return entry;
  }

  /** Whether `newcomer` gets the stream of the present publisher, which is ended then. */
  #putOut(present: Publisher, newcomer: string): boolean {
    const now = this.#shared.clock.now();
    if (!this.#takeover.allows(newcomer, present.lastBytesAt, now)) return false;
    if (now - present.lastBytesAt < STALLED_MS) this.#takeover.putOut(present.address, now);
    present.replaced();
    return true;
  }

  /** Players that wait for it go on from entry `entry`. */
  #goOn(entry: number): void {
    for (const player of this.#players) player.goOn(entry);
  }

  /** Frees what nobody needs; and when too much is needed, sees to it that less is. */
  #trim(): void {
    this.#free();
    if (this.log.bytes > MAX_LOG_BYTES) {
      this.#gop.forget();
      this.#free();
    }
    if (this.log.bytes > MAX_LOG_BYTES) {
      const { offered } = this.#flusher;
      for (const player of this.#players) if (player.cursor < offered) player.drop();
      this.#free();
    }
    this.#lastLogBytes = this.log.bytes;
  }

  #free(): void {
    const { start } = this.#gop;
    let min = Math.min(start >= 0 ? start : this.log.head, this.#flusher.flushed);
    for (const player of this.#players) if (player.cursor < min) min = player.cursor;
    if (!this.log.canTrim(min)) return;
    for (const player of this.#players) {
      if (player.inFlight >= 0 && player.inFlight < min) this.log.hold(player.inFlight);
    }
    this.log.trim(min);
  }

  #noteIdle(): void {
    if (!this.active && this.#players.length === 0) this.idleSince ??= this.#shared.clock.now();
  }
}
