/**
 * One live stream: at most one publisher, any number of players, and the broadcast log between them
 * (spec: streaming §1-§6). It outlives its publisher: players wait for the next one.
 * @module
 */

import type { PlayConfig, TimeJitter, VhostConfig } from "../config/types.ts";
import { audioFlags, audioTrackId } from "../flv/audio_header.ts";
import { type AudioInfo, audioInfo, type VideoInfo, videoInfo } from "../flv/codec_info.ts";
import { playerData } from "../flv/data_message.ts";
import { FrameFlag, JOIN_FLAGS } from "../flv/ex_header.ts";
import { readMetadata, writeMetadata } from "../flv/metadata.ts";
import { mainMessage } from "../flv/multitrack.ts";
import { videoFlags, videoTrackId } from "../flv/video_header.ts";
import { propertyOf } from "../rtmp/amf_access.ts";
import { wireSize, writeMessage } from "../rtmp/chunk_writer.ts";
import { ChunkStream, MessageType, STREAM_ID } from "../rtmp/message.ts";
import { BroadcastLog, Entry } from "./broadcast_log.ts";
import type { Clock } from "./clock.ts";
import { Contents, type Kinds } from "./contents.ts";
import { type FeedMessage, type FeedTarget, Inlet } from "./feed.ts";
import { Gop } from "./gop.ts";
import { HeaderCache } from "./header_cache.ts";
import { FLV_FORMAT, followAsFlv, type MessageFormat, rtmpFormat } from "./message_format.ts";
import { MixQueue } from "./mix_queue.ts";
import { Outlets } from "./outlets.ts";
import { type FlushBudget, Pacer, type PacerSettings } from "./pacer.ts";
import type { Player, PlayerOptions, PlayerSink } from "./player.ts";
import { Rendition, type RenditionSource } from "./rendition.ts";
import { COLLECTED_MEMORY, type SegmentPool } from "./segment_pool.ts";
import { StreamStats } from "./stream_stats.ts";
import {
  CLEAR,
  type Clearance,
  givesUp,
  type PutOut,
  STALLED_MS,
  TakeoverRule,
} from "./takeover.ts";
import { Timeline, trackKey } from "./timeline.ts";
import { TrackFigures } from "./track_figures.ts";

/**
 * Bytes that a stream's log in one format may hold before slow players lose their backlog and joiners
 * their GOP, whatever `queue_length` says: half a minute at 17 Mbps, and bearable on a board with 1 GB.
 */
export const MAX_LOG_BYTES = 64 * 1024 * 1024;

/**
 * Timestamp of metadata, ms (SRS): ffmpeg's demuxer takes any other for a track of subtitles, and VLC,
 * waiting for those, shows the first picture for ever.
 */
const METADATA_TIME = 0;

/** Video messages with these flags show nothing. */
const NO_PICTURE = FrameFlag.COMMAND | FrameFlag.END_OF_SEQUENCE;

/**
 * ms of one core that it takes the runtime to pass on what an FLV player is given, after the flush:
 * Deno's and Bun's HTTP and WebSocket servers need 9 to 14 µs for it on the machine of the benchmarks.
 */
const WEB_WRITE_MS = 0.01;

function pacerSettings({ minLatency, play }: VhostConfig): PacerSettings {
  return { minLatency, ...play };
}

/** How a publisher's timestamps are corrected; `atc`: not at all. */
function jitterOf({ play }: VhostConfig): TimeJitter {
  return play.atc ? "off" : play.timeJitter;
}

/** Who follows what becomes of the streams: the link to other threads. */
export interface HubListener {
  /** There is a stream more. */
  obtained(stream: LiveStream): void;
  /** Its first player in this thread has come, or the last one has gone. */
  audienceChanged(stream: LiveStream): void;
  /** Its publisher in this thread has gone. Another one may be about to take over. */
  unpublished(stream: LiveStream): void;
  /** It has neither publisher nor player here any more. */
  forgotten(stream: LiveStream): void;
}

/** What all streams of a thread share. */
export interface LiveShared {
  readonly clock: Clock;
  readonly pool: SegmentPool;
  readonly budget: FlushBudget;
  /** Who wants to know about them; null: nobody. */
  readonly listener: HubListener | null;
  /** Version of this server, for the metadata that players get. */
  readonly version: string;
}

/** Who publishes a stream. */
export interface Publisher {
  /** The peer's address. */
  readonly address: string;
  /** Clock ms at which it last sent anything. */
  readonly lastBytesAt: number;
  /** It is an origin, which has corrected the timestamps already. */
  readonly timeCorrected?: boolean;
  /** The stream has got its first player. */
  wanted(): void;
  /** Another publisher takes the stream over: ends this one, with `unpublish`, before it returns. */
  replaced(): void;
}

/** A publisher, as far as it can be ended for another one. */
export type Replaceable = Pick<Publisher, "lastBytesAt" | "replaced">;

/** A live stream, keyed by `[vhost]/app/stream`. */
export class LiveStream implements RenditionSource {
  readonly key: string;
  readonly app: string;
  readonly name: string;
  /** The messages, as RTMP chunks of the vhost's chunk size. */
  readonly log: BroadcastLog;
  readonly stats = new StreamStats();
  /** Where decoding can begin. */
  readonly gop: Gop;
  /** Video messages with a picture of the main track that publishers have sent, all in all. */
  videoFrames = 0;
  /** Bytes that have come from origins. */
  pulledBytes = 0;
  /** It has had multitrack messages: not every entry of the log is for every player. */
  hasTracks = false;
  /** Entry of the newest metadata or sequence header; -1: none. */
  lastHeaderEntry = -1;
  /** The other threads that play it while it is published in this one. */
  readonly outlets: Outlets;
  /** Where others find its highest time, ms, whatever becomes of this thread; null: there are none. */
  timeCell: Float64Array | null = null;
  /** Since when (clock ms) nobody has played it; null while somebody does. */
  playerlessSince: number | null;
  /** Clock ms at which an origin has said that it has ended; null: it has not, or it goes on again. */
  endedAt: number | null = null;
  /** Since when (clock ms) it has had neither publisher nor player; null while it has. */
  idleSince: number | null;

  readonly #shared: LiveShared;
  readonly #rtmp: Rendition;
  readonly #pacer: Pacer;
  /** There while it has players. */
  #flv: Rendition | null = null;
  #mix: MixQueue | null;
  #vhost: VhostConfig;
  /** `time_jitter` or `atc` have changed: the next publisher's timestamps are treated otherwise. */
  #otherTime = false;
  #timeline: Timeline;
  /** Timestamps are the publisher's own, those of metadata too. */
  #absolute: boolean;
  #headers = new HeaderCache();
  #contents = new Contents();
  #tracks = new TrackFigures();
  #publisher: Publisher | null = null;
  readonly #takeover: TakeoverRule;
  /** Clients that publish it to the origin of an edge: their media do not come through the log. */
  readonly #uplinks = new Set<Replaceable>();
  /** From the publisher in another thread; null: there is none. */
  #inlet: Inlet | null = null;
  #reserved = 0;
  #held = false;
  /** Cursors that belong to forwards and not to players. */
  #forwards = 0;
  /** Entry of the newest message with pictures. */
  #newestVideo = -1;
  #lastLogBytes = 0;

  constructor(
    shared: LiveShared,
    vhost: VhostConfig,
    app: string,
    name: string,
    key: string,
  ) {
    this.#shared = shared;
    this.#vhost = vhost;
    this.app = app;
    this.name = name;
    this.key = key;
    this.log = new BroadcastLog(shared.pool);
    this.gop = new Gop(vhost.play.gopCache, vhost.play.gopCacheMaxFrames);
    this.#pacer = this.#newPacer();
    const format = rtmpFormat(vhost.chunkSize);
    this.#rtmp = new Rendition(this, this.log, format, this.#pacer);
    this.#timeline = new Timeline(jitterOf(vhost));
    this.#absolute = jitterOf(vhost) === "off";
    this.#takeover = new TakeoverRule(vhost.publish.takeover);
    this.#mix = vhost.play.mixCorrect ? new MixQueue() : null;
    this.outlets = new Outlets({
      log: this.log,
      gop: this.gop,
      headers: () => this.#headers,
      timeline: () => this.#timeline,
      absolute: () => this.#absolute,
      now: () => shared.clock.now(),
    }, () => this.#noteAudience());
    this.playerlessSince = this.idleSince = shared.clock.now();
  }

  /** Its settings; the chunk size is that of its log. */
  get vhost(): VhostConfig {
    return this.#vhost;
  }

  /**
   * Other settings for a stream that is there already. Timestamps and their order are corrected as before
   * until the next publisher begins, and the log's chunks keep their size: players have been told it.
   */
  configure(vhost: VhostConfig): void {
    if (jitterOf(vhost) !== jitterOf(this.#vhost)) this.#otherTime = true;
    this.#vhost = { ...vhost, chunkSize: this.#vhost.chunkSize };
    const { gopCache, gopCacheMaxFrames } = vhost.play;
    this.gop.configure(gopCache, gopCacheMaxFrames);
    this.#takeover.policy = vhost.publish.takeover;
    for (const rendition of this.#renditions) rendition.configure(pacerSettings(vhost));
  }

  /** Whether somebody publishes. */
  get active(): boolean {
    return this.#publisher !== null || this.#inlet !== null;
  }

  /** Whether the publisher is in this thread. */
  get published(): boolean {
    return this.#publisher !== null;
  }

  /** Whether the publisher is in this thread, and gives the stream to nobody for now. */
  get keepsPublisher(): boolean {
    return this.#publisher !== null &&
      this.#takeover.deniesAll(this.#publisher.lastBytesAt, this.#shared.clock.now());
  }

  /** Whether the publisher is in another thread. */
  get mirrored(): boolean {
    return this.#inlet !== null;
  }

  /** Memory of its logs, bytes. */
  get logBytes(): number {
    return this.log.bytes + (this.#flv?.log.bytes ?? 0);
  }

  /** Players of all threads, the waiting ones included. */
  get playerCount(): number {
    return this.localPlayers + this.outlets.players;
  }

  /** Players in this thread. */
  get localPlayers(): number {
    return this.#rtmp.players.length + (this.#flv?.players.length ?? 0) - this.#forwards;
  }

  /** Whether it is copied to other servers, players or not. */
  get forwarded(): boolean {
    return this.#forwards > 0;
  }

  /** How far the players are behind, ms: the farthest, and how many of them more than `thresholdMs`. */
  lag(thresholdMs: number): { readonly mostMs: number; readonly players: number } {
    let mostMs = 0;
    let players = 0;
    for (const rendition of this.#renditions) {
      for (const { lagMs, forward } of rendition.players) {
        if (forward) continue;
        if (lagMs > mostMs) mostMs = lagMs;
        if (lagMs > thresholdMs) players++;
      }
    }
    return { mostMs, players };
  }

  /** The stream's present time, ms. */
  get time(): number {
    return this.#timeline.now;
  }

  get play(): PlayConfig {
    return this.vhost.play;
  }

  get clock(): Clock {
    return this.#shared.clock;
  }

  headerBytes(format: MessageFormat, time: number, skip: number): Uint8Array {
    const metadataTime = this.#absolute ? time : METADATA_TIME;
    return this.#headers.encode(format, time, metadataTime, skip);
  }

  /** Metadata and sequence headers of the present publisher. */
  get headers(): HeaderCache {
    return this.#headers;
  }

  /** What is known of the pictures; null when nothing is, or nobody publishes. */
  get video(): VideoInfo | null {
    const header = this.active ? this.#headers.video : null;
    if (!header) return null;
    const info = videoInfo(header, this.#tracks.frame);
    if (this.vhost.publish.parseSps || !info) return info;
    return { ...info, width: null, height: null };
  }

  /** What is known of the sound; null when nothing is, or nobody publishes. */
  get audio(): AudioInfo | null {
    const header = this.active ? this.#headers.audio : null;
    return header ? audioInfo(header) : null;
  }

  /** Video and audio tracks of the publisher in this thread. */
  get trackCounts(): { readonly video: number; readonly audio: number } {
    if (!this.published) return { video: 0, audio: 0 };
    return { video: this.#tracks.videoTracks, audio: this.#tracks.audioTracks };
  }

  /** Whether there are pictures and sound; null while nobody publishes, or it is too early to tell. */
  get kinds(): Kinds | null {
    return this.active ? this.#contents.kinds(this.#shared.clock.now()) : null;
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
    if (this.#inlet) return false;
    if (this.#publisher && !this.#putOut(this.#publisher, publisher.address)) return false;
    this.#publisher = publisher;
    this.endedAt = null;
    this.#headers = new HeaderCache();
    this.#contents = new Contents();
    this.#tracks = new TrackFigures();
    this.#beginTime(publisher.timeCorrected ?? false);
    this.gop.restart();
    for (const rendition of this.#renditions) rendition.flusher.stopped = false;
    this.playerlessSince = this.playerCount > 0 ? null : this.#shared.clock.now();
    this.idleSince = null;
    this.outlets.begin();
    return true;
  }

  /**
   * The publisher is gone. Players stay and get what has not been flushed yet. `ended`: they are to be
   * told, unless somebody publishes again soon.
   */
  unpublish(publisher: Publisher, ended = false): void {
    if (this.#publisher !== publisher) return;
    this.#mix?.drain((type, timestamp, payload) => this.#accept(type, timestamp, payload));
    this.outlets.end(ended);
    this.#publisher = null;
    this.endedAt = ended ? this.#shared.clock.now() : null;
    this.#noteTime();
    this.#stop();
    this.#shared.listener?.unpublished(this);
  }

  /**
   * Makes way for a newcomer before hooks are asked about it: ends a publisher of this thread that has
   * stalled, if `takeover` allows that. One that sends is left alone: the newcomer may be a stranger.
   */
  clear(newcomer: string): Clearance {
    const now = this.#shared.clock.now();
    const { edge } = this.#vhost;
    if (edge) {
      for (const uplink of [...this.#uplinks]) {
        if (givesUp(edge.takeover, uplink.lastBytesAt, now)) uplink.replaced();
      }
      // The stream's publisher is the pull, which is nobody's to end. Of the others the origin decides.
      return { kept: false, present: this.#uplinks.size > 0 };
    }
    const publisher = this.#publisher;
    if (!publisher) return CLEAR;
    if (this.#takeover.givesUp(publisher.lastBytesAt, now)) {
      publisher.replaced();
      return CLEAR;
    }
    const kept = !this.#takeover.allows(newcomer, publisher.lastBytesAt, now);
    return { kept, present: true };
  }

  /** A client publishes the stream to the origin through this edge; at its end `removeUplink`. */
  addUplink(uplink: Replaceable): void {
    this.#uplinks.add(uplink);
  }

  removeUplink(uplink: Replaceable): void {
    this.#uplinks.delete(uplink);
  }

  /**
   * The origin has accepted another publisher, `except`: with `takeover replace` the others of this thread
   * end here, without waiting until the origin ends them.
   */
  replaceUplinks(except: Replaceable | null): void {
    if (this.#vhost.edge?.takeover !== "replace") return;
    for (const uplink of [...this.#uplinks]) if (uplink !== except) uplink.replaced();
  }

  /** Whether `newcomer`, in another thread, gets the stream; the present publisher is ended then. */
  yield(newcomer: string): boolean {
    if (this.#held) return false;
    return this.#publisher === null || this.#putOut(this.#publisher, newcomer);
  }

  /** Whether this thread keeps the right to publish it even while nobody does: an edge's pull. */
  get held(): boolean {
    return this.#held;
  }

  /** Keeps that right, from the grant on. */
  hold(): void {
    this.#held = true;
  }

  /** Gives it back. */
  letGo(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#shared.listener?.unpublished(this);
  }

  /** Who has been put out here, for the thread that has the stream next. */
  get putOut(): readonly PutOut[] {
    return this.#takeover.remembered(this.#shared.clock.now());
  }

  /** Somebody may be about to publish: it must not be forgotten. Once for each `unreserve`. */
  reserve(): void {
    this.#reserved++;
    this.idleSince = null;
  }

  /** He has, or he may not. */
  unreserve(): void {
    this.#reserved--;
    this.#noteIdle();
  }

  /** The stream has been elsewhere: its time, ms, and who was put out there. */
  inherit(time: number, putOut: readonly PutOut[]): void {
    this.#timeline.follow(this.#timeline.last, time);
    this.#takeover.remember(putOut, this.#shared.clock.now());
  }

  /** An audio, video or player's data message; the payload is borrowed and not empty. */
  media(type: number, timestamp: number, payload: Uint8Array): void {
    if (!this.#mix) return this.#accept(type, timestamp, payload);
    this.#mix.push(type, timestamp, payload, (t, at, bytes) => this.#accept(t, at, bytes));
  }

  /**
   * A data message (type 18 or 15) from the publisher. Metadata is kept for joiners; others pass through
   * (`pass_data`). False: it is none that players get.
   * @throws {RtmpError} when it cannot be decoded or is too large; nothing has changed then.
   */
  data(type: number, timestamp: number, payload: Uint8Array): boolean {
    const { play } = this.vhost;
    const fields = readMetadata(type, payload);
    if (!fields) {
      const data = play.passData ? playerData(type, payload) : null;
      if (data) this.media(MessageType.DATA_AMF0, timestamp, data);
      return data !== null;
    }
    if (play.atcAuto && !this.#absolute && propertyOf(fields, "bravo_atc") === "true") {
      this.#keepTimestamps();
    }
    const metadata = writeMetadata(fields, this.#shared.version);
    if (this.outlets.any) this.outlets.settle();
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
    if (this.outlets.any) this.outlets.settle();
    if (this.timeCell) this.#noteTime();
    this.#settleRenditions();
  }

  #settleRenditions(): void {
    this.#rtmp.settle(this.#newestVideo);
    this.#flv?.settle(this.#newestVideo);
  }

  // ---- playing

  /**
   * A player joins: it gets the headers, then the stream from the last keyframe (`gop_cache`) or from
   * the next message on. Without a publisher it waits for one. It gets RTMP chunks, or FLV tags
   * without the file header before them.
   */
  join(sink: PlayerSink, options: PlayerOptions, container: "rtmp" | "flv" = "rtmp"): Player {
    const rendition = container === "rtmp" ? this.#rtmp : this.#flv ??= this.#newFlv();
    const player = rendition.add(sink, options);
    if (options.forward) {
      this.#forwards++;
      this.#publisher?.wanted();
      return player;
    }
    if (this.playerCount === 1) this.#publisher?.wanted();
    this.playerlessSince = this.idleSince = null;
    if (this.localPlayers === 1) this.#shared.listener?.audienceChanged(this);
    rendition.begin(player);
    return player;
  }

  /** A player leaves. */
  leave(player: Player): void {
    if (!this.#rtmp.remove(player) && !this.#flv?.remove(player)) return;
    if (player.forward) return void this.#forwards--;
    if (this.#flv?.players.length === 0) {
      this.#flv.stop();
      this.#flv = null;
    }
    if (this.playerCount === 0) this.playerlessSince = this.#shared.clock.now();
    this.#noteIdle();
    if (this.localPlayers === 0) this.#shared.listener?.audienceChanged(this);
  }

  /** Once a second: moves players on that do not keep up, frees what nobody needs. */
  tick(): void {
    for (const rendition of this.#renditions) rendition.checkLag();
    this.#trim();
  }

  // ---- other threads

  /**
   * What comes from the publisher in another thread. `giveBack` is told which of its segments are not
   * needed any more.
   */
  mirror(message: FeedMessage, giveBack: (segment: number, held: boolean) => void): void {
    if (message.kind === "end") return this.mirrorEnd(message.ended);
    if (message.kind === "begin") {
      this.endedAt = null;
      this.#inlet = new Inlet(this.#feedTarget(), giveBack);
      this.#contents = new Contents();
      this.#tracks = new TrackFigures();
      this.gop.restart();
      for (const rendition of this.#renditions) rendition.flusher.stopped = false;
      this.#noteIdle();
    }
    if (!this.#inlet) return;
    this.#inlet.take(message.part);
    if (this.#flv) followAsFlv(this.log, this.#flv.log, this.vhost.chunkSize);
    if (this.log.bytes !== this.#lastLogBytes) this.#trim();
    this.#settleRenditions();
  }

  /** The publisher in another thread has gone, or that thread has. */
  mirrorEnd(ended = false): void {
    if (!this.#inlet) return;
    this.#inlet = null;
    this.endedAt = ended ? this.#shared.clock.now() : null;
    this.log.seal();
    this.#stop();
  }

  // ---- inside

  /** A publisher begins. */
  #beginTime(corrected: boolean): void {
    const { mixCorrect } = this.vhost.play;
    // It has been drained when the last publisher left.
    if (mixCorrect !== (this.#mix !== null)) this.#mix = mixCorrect ? new MixQueue() : null;
    if (!this.#otherTime) return this.#timeline.restart(undefined, corrected);
    this.#otherTime = false;
    const jitter = jitterOf(this.vhost);
    this.#timeline.restart(jitter, corrected);
    this.#absolute = jitter === "off";
  }

  /** Players stay, and get what has not been flushed yet. */
  #stop(): void {
    this.gop.forget();
    for (const rendition of this.#renditions) rendition.stop();
    this.#trim();
    this.#noteIdle();
  }

  #feedTarget(): FeedTarget {
    return {
      log: this.log,
      gop: this.gop,
      timeline: () => this.#timeline,
      now: () => this.#shared.clock.now(),
      setHeaders: (headers) => void (this.#headers = headers),
      setAbsolute: (absolute) => {
        if (absolute && !this.#absolute) this.#keepTimestamps();
      },
      tellHeaders: (time) => this.#tellHeaders(time),
      added: (entry, flags) => this.#noteEntry(entry, flags),
      goOn: (entry) => {
        if (this.#flv) followAsFlv(this.log, this.#flv.log, this.vhost.chunkSize);
        this.#goOn(entry);
      },
    };
  }

  /**
   * For all players that are here, and in the right place: behind what they have not had yet. Each
   * header is an entry of its own, as when it was published.
   */
  #tellHeaders(time: number): void {
    const metadataTime = this.#absolute ? time : METADATA_TIME;
    this.#headers.each(time, metadataTime, (type, stamp, payload, flags) => {
      const stream = type === MessageType.VIDEO
        ? ChunkStream.VIDEO
        : type === MessageType.AUDIO
        ? ChunkStream.AUDIO
        : ChunkStream.DATA;
      const kind = type === MessageType.VIDEO
        ? Entry.VIDEO
        : type === MessageType.AUDIO
        ? Entry.AUDIO
        : Entry.DATA;
      this.#append(type, stream, time, payload, flags | kind | Entry.HEADER, stamp);
    });
  }

  #noteEntry(entry: number, flags: number): void {
    if (flags & Entry.HEADER) this.lastHeaderEntry = entry;
    if (flags & Entry.VIDEO) this.#newestVideo = entry;
    if (flags & Entry.MULTITRACK) this.hasTracks = true;
    // Its own messages are noted as they come in, with more known about them.
    if (
      this.#inlet && (flags & (Entry.AUDIO | Entry.VIDEO)) !== 0 && !(flags & Entry.MULTITRACK)
    ) {
      const isHeader = (flags & Entry.HEADER) !== 0;
      this.#contents.note((flags & Entry.VIDEO) !== 0, isHeader, this.#shared.clock.now());
    }
  }

  /** From now on timestamps are the publisher's own. */
  #keepTimestamps(): void {
    this.#timeline = new Timeline("off");
    this.#absolute = true;
  }

  #noteTime(): void {
    if (this.timeCell) this.timeCell[0] = this.#timeline.highest;
  }

  /** The first player in all has come, or the last one has gone. */
  #noteAudience(): void {
    if (this.playerCount === 0) {
      this.playerlessSince ??= this.#shared.clock.now();
    } else if (this.playerlessSince !== null) {
      this.playerlessSince = null;
      this.#publisher?.wanted();
    }
  }

  get #renditions(): readonly Rendition[] {
    return this.#flv ? [this.#rtmp, this.#flv] : [this.#rtmp];
  }

  #newPacer(laterMs?: () => number): Pacer {
    return new Pacer(pacerSettings(this.vhost), this.#shared.budget, laterMs);
  }

  /** FLV tags from the beginning of the GOP on, or from now on. */
  #newFlv(): Rendition {
    const { start } = this.gop;
    // Web streams take bytes without ever saying that they are through with them.
    const log = new BroadcastLog(COLLECTED_MEMORY, start >= 0 ? start : this.log.head);
    followAsFlv(this.log, log, this.vhost.chunkSize);
    const pacer = this.#newPacer(() => rendition.players.length * WEB_WRITE_MS);
    const rendition = new Rendition(this, log, FLV_FORMAT, pacer);
    rendition.flusher.flushed = log.head;
    rendition.flusher.stopped = !this.active;
    return rendition;
  }

  #accept(type: number, timestamp: number, payload: Uint8Array): void {
    if (type === MessageType.VIDEO) this.#acceptVideo(timestamp, payload);
    else if (type === MessageType.AUDIO) this.#acceptAudio(timestamp, payload);
    else this.#acceptData(timestamp, payload);
  }

  /** Data that is not kept: its place is where it came, whatever its own timestamp says. */
  #acceptData(timestamp: number, payload: Uint8Array): void {
    const time = this.#timeline.now;
    const stamp = this.#absolute ? timestamp : time;
    this.#write(MessageType.DATA_AMF0, ChunkStream.DATA, time, payload, Entry.DATA, stamp);
  }

  #acceptVideo(timestamp: number, payload: Uint8Array): void {
    const frame = videoFlags(payload);
    const main = mainMessage(MessageType.VIDEO, frame, payload);
    const track = videoTrackId(payload);
    let flags: number = Entry.VIDEO;
    if (this.#headers.isForeign(MessageType.VIDEO, frame, payload)) {
      flags |= Entry.HEADER | Entry.MULTITRACK;
    } else if (frame & JOIN_FLAGS) {
      flags |= Entry.HEADER;
      this.#tracks.note(true, frame, track, payload);
      const changed = this.#remember(MessageType.VIDEO, frame, track, payload);
      if (!changed && this.vhost.play.reduceSequenceHeader) return;
      if (changed && main && (frame & FrameFlag.SEQUENCE_HEADER)) {
        // What was decodable with the old header is not with the new one.
        this.gop.forget();
        this.#tracks.configured();
      }
    } else {
      this.#tracks.note(true, frame, track, payload);
      if (frame & FrameFlag.KEYFRAME) {
        this.#noteCodec(MessageType.VIDEO, payload, !(frame & FrameFlag.SIDE_TRACK));
        if (main) {
          flags |= Entry.KEYFRAME;
          this.#tracks.keyframe(main, this.#headers.video);
        }
      }
    }
    this.#noteContents(true, main, flags);
    const time = this.#stamp(trackKey(true, track), timestamp, flags);
    const entry = this.#writeMedia(MessageType.VIDEO, time, payload, main, frame, flags);
    // The figures and the GOP are those of the track that everybody plays.
    if (!main || flags & Entry.HEADER) return;
    if (!(frame & NO_PICTURE)) this.videoFrames++;
    if (flags & Entry.KEYFRAME) {
      this.gop.keyframe(entry, time, this.#shared.clock.now());
      this.#goOn(entry);
    } else {
      this.gop.picture(time, this.#shared.clock.now());
    }
  }

  #acceptAudio(timestamp: number, payload: Uint8Array): void {
    const frame = audioFlags(payload);
    const main = mainMessage(MessageType.AUDIO, frame, payload);
    const track = audioTrackId(payload);
    let flags: number = Entry.AUDIO;
    if (this.#headers.isForeign(MessageType.AUDIO, frame, payload)) {
      flags |= Entry.HEADER | Entry.MULTITRACK;
    } else if (frame & JOIN_FLAGS) {
      flags |= Entry.HEADER;
      this.#tracks.note(false, frame, track, payload);
      const changed = this.#remember(MessageType.AUDIO, frame, track, payload);
      if (!changed && this.vhost.play.reduceSequenceHeader) return;
    } else {
      this.#tracks.note(false, frame, track, payload);
      this.#noteCodec(MessageType.AUDIO, payload, !(frame & FrameFlag.SIDE_TRACK));
    }
    this.#noteContents(false, main, flags);
    const time = this.#stamp(trackKey(false, track), timestamp, flags);
    const entry = this.#writeMedia(MessageType.AUDIO, time, payload, main, frame, flags);
    if (!main) return;
    // The pictures have ended, or never were: nobody need wait for a keyframe.
    if (this.gop.sound(time, this.#shared.clock.now())) this.#goOn(entry);
  }

  /** Players of FLV, who are promised what is in the stream, have the main tracks alone. */
  #noteContents(isVideo: boolean, main: Uint8Array | null, flags: number): void {
    if (!main || flags & Entry.MULTITRACK) return;
    this.#contents.note(isVideo, (flags & Entry.HEADER) !== 0, this.#shared.clock.now());
  }

  #stamp(track: number, timestamp: number, flags: number): number {
    const now = this.#shared.clock.now();
    return flags & Entry.HEADER
      ? this.#timeline.stampHeader(track, timestamp, now)
      : this.#timeline.stamp(track, timestamp, now);
  }

  /** Keeps a header for joiners, one of each kind for each track; false if it was known. */
  #remember(type: number, frame: number, track: number, payload: Uint8Array): boolean {
    // What came before it belongs to the old headers, for the players of other threads too.
    if (this.outlets.any) this.outlets.settle();
    const audience = frame & FrameFlag.MULTITRACK ? "multitrack" : "all";
    const otherCodec = this.#headers.changesCodec(type, payload) === "yes";
    if (otherCodec && !(frame & FrameFlag.SIDE_TRACK)) this.gop.forget();
    return this.#headers.set(type, { kind: frame & JOIN_FLAGS, track, payload, audience });
  }

  /** A frame may have another codec than its track had, without a header that says so (MP3, VP6). */
  #noteCodec(type: number, payload: Uint8Array, isMain: boolean): void {
    const change = this.#headers.changesCodec(type, payload);
    if (change === "no") return;
    if (this.outlets.any) this.outlets.settle();
    // Joiners get no header of the old codec: what came with it is of no use to them.
    if (change === "yes" && isMain) this.gop.forget();
    this.#headers.noteCodec(type, payload);
  }

  /**
   * Writes an audio or video message; one with several tracks is followed by its main track alone, for
   * players that know no others (Q60). Returns the number of the first entry.
   */
  #writeMedia(
    type: number,
    time: number,
    payload: Uint8Array,
    main: Uint8Array | null,
    frame: number,
    flags: number,
  ): number {
    const isVideo = type === MessageType.VIDEO;
    const chunkStream = isVideo ? ChunkStream.VIDEO : ChunkStream.AUDIO;
    if (!(frame & FrameFlag.MULTITRACK)) {
      return this.#write(type, chunkStream, time, payload, flags);
    }
    const entry = this.#write(type, chunkStream, time, payload, flags | Entry.MULTITRACK);
    if (main) {
      if (flags & Entry.HEADER) {
        const kind = frame & JOIN_FLAGS;
        this.#headers.set(type, { kind, track: 0, payload: main, audience: "main track" });
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
    const entry = this.#append(type, chunkStream, time, payload, flags, stamp);
    if (this.#flv) followAsFlv(this.log, this.#flv.log, this.vhost.chunkSize);
    if (this.log.bytes !== this.#lastLogBytes) this.#trim();
    return entry;
  }

  #append(
    type: number,
    chunkStream: number,
    time: number,
    payload: Uint8Array,
    flags: number,
    stamp: number,
  ): number {
    const { chunkSize } = this.vhost;
    const now = this.#shared.clock.now();
    if (this.#unheard) return this.#pass(flags, time, now);
    const size = wireSize(payload.length, stamp, chunkSize);
    const target = this.log.reserve(size, now);
    writeMessage(target, this.log.writeAt, chunkStream, type, stamp, STREAM_ID, payload, chunkSize);
    const entry = this.log.commit(size, flags, time, now);
    this.#noteEntry(entry, flags);
    return entry;
  }

  /** Nobody plays it, and who joins starts with the next message. */
  get #unheard(): boolean {
    // A mirror's log goes on in the memory of another thread.
    const heard = this.localPlayers > 0 || this.forwarded || this.outlets.any || this.mirrored;
    return !this.vhost.play.gopCache && !heard;
  }

  /** A message that nobody will get is counted, and that is all. */
  #pass(flags: number, time: number, now: number): number {
    const entry = this.log.pass(flags, time, now);
    this.#rtmp.flusher.flushed = this.log.head;
    this.#noteEntry(entry, flags);
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
    for (const rendition of this.#renditions) rendition.goOn(entry);
    if (this.outlets.any) this.outlets.goOn(entry);
  }

  /** Frees what nobody needs; and when too much is needed, sees to it that less is. */
  #trim(): void {
    this.#free();
    if (this.#tooLarge) {
      this.gop.forget();
      this.#free();
    }
    for (const rendition of this.#renditions) {
      if (rendition.log.bytes > MAX_LOG_BYTES) rendition.dropBacklog();
    }
    this.#free();
    this.#lastLogBytes = this.log.bytes;
  }

  get #tooLarge(): boolean {
    return this.#renditions.some(({ log }) => log.bytes > MAX_LOG_BYTES);
  }

  #free(): void {
    for (const rendition of this.#renditions) rendition.free(this.outlets.cursor);
  }

  #noteIdle(): void {
    const used = this.#publisher !== null || this.localPlayers > 0 || this.#reserved > 0;
    if (!used) this.idleSince ??= this.#shared.clock.now();
  }
}
