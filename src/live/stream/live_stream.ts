/**
 * One live stream: a publication, the ingest of what is published, the log, and the readers of the log,
 * which are outputs and followers. It outlives its publisher: players wait for the
 * next one.
 * @module
 */

import type { PlayConfig, VhostConfig } from "../../config/types.ts";
import { type AudioInfo, audioInfo, type VideoInfo, videoInfo } from "../../codec/codec_info.ts";
import { BroadcastLog } from "../log/broadcast_log.ts";
import type { Clock } from "../clock.ts";
import type { Kinds } from "../ingest/contents.ts";
import type { ReadStream } from "../play/cursor_source.ts";
import { type Follower, Followers } from "../follow/follower.ts";
import type { Gop } from "../ingest/gop.ts";
import type { HeaderCache } from "../ingest/header_cache.ts";
import { Ingest, type IngestHost } from "../ingest/ingest.ts";
import { MAX_LOG_BYTES } from "../limits.ts";
import { logFormat, type MessageFormat } from "../log/message_format.ts";
import type { Rendering } from "../play/rendering.ts";
import { type Lag, Outputs } from "../play/outputs.ts";
import type { FlushBudget } from "../play/pacer.ts";
import type { Player, PlayerOptions, PlayerSink } from "../play/player.ts";
import { Publication, type Publisher, type Replaceable } from "../publication/publication.ts";
import type { SegmentPool } from "../log/segment_pool.ts";
import { StreamStats } from "../stream_stats.ts";
import type { Clearance, Evicted } from "../publication/takeover.ts";

export type { Publisher, Replaceable } from "../publication/publication.ts";

/**
 * Who is told what becomes of the streams. What makes something of its own of every stream, such as
 * recordings, is one, and follows those that it wants when they are obtained.
 */
export interface HubListener {
  /** There is a stream more. */
  obtained(stream: LiveStream): void;
  /** Its first player here has come, or the last one has gone. */
  audienceChanged?(stream: LiveStream): void;
  /** Its publisher has gone. Another one may be about to take over. */
  unpublished?(stream: LiveStream): void;
  /** It has neither publisher nor player here any more. */
  forgotten(stream: LiveStream): void;
}

/** What all streams share. */
export interface LiveShared {
  readonly clock: Clock;
  readonly pool: SegmentPool;
  readonly budget: FlushBudget;
  /** Who wants to know about them. */
  readonly listeners: readonly HubListener[];
  /** Version of this server, for the metadata that players get. */
  readonly version: string;
}

/** A live stream, keyed by `[vhost]/app/stream`. */
export class LiveStream implements ReadStream, IngestHost {
  readonly key: string;
  readonly app: string;
  readonly name: string;
  /** The messages, as the bytes that players are sent. */
  readonly log: BroadcastLog;
  /** What the bytes of the log are. */
  readonly format: MessageFormat;
  readonly stats = new StreamStats();
  readonly ingest: Ingest;
  /** Bytes that have come from origins. */
  pulledBytes = 0;
  /** Since when (clock ms) it has had no player; null while it has. */
  playerlessSince: number | null;
  /** Since when (clock ms) it has had neither publisher nor player; null while it has. */
  idleSince: number | null;

  readonly #shared: LiveShared;
  readonly #publication: Publication;
  readonly #outputs: Outputs;
  readonly #followers = new Followers();
  #vhost: VhostConfig;
  #lastLogBytes = 0;

  constructor(shared: LiveShared, vhost: VhostConfig, app: string, name: string, key: string) {
    this.#shared = shared;
    this.#vhost = vhost;
    this.app = app;
    this.name = name;
    this.key = key;
    const { pool, clock, version, budget } = shared;
    this.log = new BroadcastLog(pool);
    this.format = logFormat(vhost.chunkSize);
    this.ingest = new Ingest(this.log, this.format, vhost.play, clock, version, this);
    this.#publication = new Publication(vhost);
    this.#outputs = new Outputs(this, vhost, this.log, this.format, budget);
    this.playerlessSince = this.idleSince = clock.now();
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
    this.#vhost = { ...vhost, chunkSize: this.#vhost.chunkSize };
    this.ingest.configure(vhost.play);
    this.#publication.configure(vhost);
    this.#outputs.configure(this.#vhost);
  }

  // ---- what is known of it

  get play(): PlayConfig {
    return this.#vhost.play;
  }

  get clock(): Clock {
    return this.#shared.clock;
  }

  /** The stream's present time, ms. */
  get time(): number {
    return this.ingest.timeline.now;
  }

  get gop(): Gop {
    return this.ingest.gop;
  }

  /** Metadata and sequence headers of the present publisher. */
  get headers(): HeaderCache {
    return this.ingest.headers;
  }

  get hasTracks(): boolean {
    return this.ingest.hasTracks;
  }

  get lastHeaderEntry(): number {
    return this.ingest.lastHeaderEntry;
  }

  /** Video messages with a picture of the main track that publishers have sent, in total. */
  get videoFrames(): number {
    return this.ingest.videoFrames;
  }

  /** What is known of the video; null when nothing is, or it has no publisher. */
  get video(): VideoInfo | null {
    const header = this.active ? this.headers.video : null;
    if (!header) return null;
    const info = videoInfo(header, this.ingest.tracks.frame);
    if (this.vhost.publish.parseSps || !info) return info;
    return { ...info, width: null, height: null };
  }

  /** What is known of the audio; null when nothing is, or it has no publisher. */
  get audio(): AudioInfo | null {
    const header = this.active ? this.headers.audio : null;
    return header ? audioInfo(header) : null;
  }

  /** Video and audio tracks of the publisher that is here. */
  get trackCounts(): { readonly video: number; readonly audio: number } {
    if (!this.published) return { video: 0, audio: 0 };
    const { videoTracks, audioTracks } = this.ingest.tracks;
    return { video: videoTracks, audio: audioTracks };
  }

  /** Whether there is video and audio; null without a publisher, or while it is too early to tell. */
  get kinds(): Kinds | null {
    return this.active ? this.ingest.contents.kinds(this.clock.now()) : null;
  }

  headerBytes(format: MessageFormat, time: number, skip: number): Uint8Array {
    return this.headers.encode(format, time, this.ingest.metadataTime(time), skip);
  }

  /** Memory of its logs, bytes. */
  get logBytes(): number {
    return this.#outputs.bytes;
  }

  /** ms between flushes at present; 0 = each message by itself. */
  get flushIntervalMs(): number {
    return this.#outputs.intervalMs;
  }

  // ---- publication

  /** Whether it has a publisher, here or elsewhere. */
  get active(): boolean {
    return this.#publication.active;
  }

  /** Whether the publisher is here. */
  get published(): boolean {
    return this.#publication.publisher !== null;
  }

  /** Whether its entries are copies of those of a publisher elsewhere. */
  get mirrored(): boolean {
    return this.#publication.copied;
  }

  /** Clock ms at which an origin has said that it has ended; null: it has not, or it is live again. */
  get endedAt(): number | null {
    return this.#publication.endedAt;
  }

  /** An origin says that it has ended. */
  noteEnd(): void {
    this.#publication.noteEnd(this.clock.now());
  }

  /** Whether the right to publish is kept here even while there is no publisher: an edge's pull. */
  get held(): boolean {
    return this.#publication.held;
  }

  /** Who has been evicted here, for the thread that decides about the stream next. */
  get evicted(): readonly Evicted[] {
    return this.#publication.evicted(this.clock.now());
  }

  /**
   * A publisher takes the stream, from another one if `takeover` allows it; false when it is taken.
   */
  publish(publisher: Publisher): boolean {
    if (!this.#publication.take(publisher, this.clock.now())) return false;
    this.ingest.begin(publisher.timeCorrected ?? false);
    this.#outputs.begin();
    this.playerlessSince = this.playerCount > 0 ? null : this.clock.now();
    this.idleSince = null;
    this.#followers.begin();
    return true;
  }

  /**
   * The publisher is gone. Players stay and get what has not been flushed yet. `ended`: they are to be
   * told, unless another publisher comes soon.
   */
  unpublish(publisher: Publisher, ended = false): void {
    if (this.#publication.publisher !== publisher) return;
    this.ingest.end();
    this.#followers.end(ended);
    this.#publication.leave(ended, this.clock.now());
    this.#stop();
    this.#tell("unpublished");
  }

  /** See `Publication.clear`. */
  clear(newcomer: string): Clearance {
    return this.#publication.clear(newcomer, this.clock.now());
  }

  /** See `Publisher.catchUp`. */
  catchUp(): void {
    this.#publication.publisher?.catchUp();
  }

  /** A client publishes the stream to the origin through this edge; at its end `removeUplink`. */
  addUplink(uplink: Replaceable): void {
    this.#publication.addUplink(uplink);
  }

  removeUplink(uplink: Replaceable): void {
    this.#publication.removeUplink(uplink);
  }

  /** See `Publication.replaceUplinks`. */
  replaceUplinks(except: Replaceable | null): void {
    this.#publication.replaceUplinks(except);
  }

  /** Whether `newcomer`, elsewhere, gets the stream; the present publisher is ended then. */
  yield(newcomer: string): boolean {
    return !this.held && this.#publication.yield(newcomer, this.clock.now());
  }

  /** Keeps the right to publish, from the grant on. */
  hold(): void {
    this.#publication.hold();
  }

  /** Gives it back. */
  release(): void {
    if (this.#publication.release()) this.#tell("unpublished");
  }

  /** A client may be about to publish: it must not be forgotten. Once for each `unreserve`. */
  reserve(): void {
    this.#publication.reserve();
    this.idleSince = null;
  }

  /** It has published, or it may not. */
  unreserve(): void {
    this.#publication.unreserve();
    this.#noteIdle();
  }

  /** The stream has been elsewhere: its time, ms, and who was evicted there. */
  inherit(time: number, evicted: readonly Evicted[]): void {
    const { timeline } = this.ingest;
    timeline.follow(timeline.last, time);
    this.#publication.remember(evicted, this.clock.now());
  }

  // ---- ingest

  /** See `Ingest.media`. */
  media(type: number, timestamp: number, payload: Uint8Array): void {
    this.ingest.media(type, timestamp, payload);
  }

  /**
   * See `Ingest.data`.
   * @throws {RtmpError} when it cannot be decoded or is too large; nothing has changed then.
   */
  data(type: number, timestamp: number, payload: Uint8Array): boolean {
    return this.ingest.data(type, timestamp, payload);
  }

  /** All that the publisher's socket had for now is in: flush, now or when the pacer says. */
  readDone(): void {
    this.#followers.pull();
    this.#outputs.flushDue(this.ingest.newestVideo);
  }

  /** `IngestHost`. */
  get hasReaders(): boolean {
    // Copied entries lie in the memory of another log: it must go on in that.
    return this.localPlayers > 0 || this.#followers.reads || this.#publication.copied;
  }

  headersChange(): void {
    this.#followers.pull();
  }

  appended(): void {
    this.#outputs.render();
    if (this.log.bytes !== this.#lastLogBytes) this.#trim();
  }

  passed(): void {
    this.#outputs.passed();
  }

  resumeAt(entry: number): void {
    this.#outputs.resumeAt(entry);
    this.#followers.resumeAt(entry);
  }

  /** Entries begin to be added to the log ready-made, copies of a publisher's elsewhere. */
  beginCopy(): void {
    this.#publication.beginCopy();
    this.ingest.beginMedia();
    this.#outputs.begin();
    this.#noteIdle();
  }

  /** Such entries have been added. */
  copied(): void {
    this.appended();
    this.readDone();
  }

  /** The publisher elsewhere is gone. `ended`: players are to be told. */
  endCopy(ended: boolean): void {
    this.#publication.endCopy(ended, this.clock.now());
    this.log.seal();
    this.#stop();
  }

  // ---- readers

  /** Its audience: players here, the waiting ones included, and those behind followers. */
  get playerCount(): number {
    return this.localPlayers + this.#followers.audience;
  }

  /** Players here. */
  get localPlayers(): number {
    return this.#outputs.players;
  }

  /** Whether a follower needs it, players or not. */
  get followed(): boolean {
    return this.#followers.needStream;
  }

  /** How far the players are behind; `players`: those that are by more than `thresholdMs`. */
  lag(thresholdMs: number): Lag {
    return this.#outputs.lag(thresholdMs);
  }

  /**
   * A player joins: it gets the headers, then the stream from the last keyframe (`gop_cache`) or from
   * the next message on. Without a publisher it waits for one. It gets the log's own bytes, or a
   * rendering of them.
   */
  join(sink: PlayerSink, options: PlayerOptions, rendering: Rendering | null = null): Player {
    const player = this.#outputs.add(sink, options, rendering);
    if (this.playerCount === 1) this.#publication.publisher?.hasAudience();
    this.playerlessSince = this.idleSince = null;
    if (this.localPlayers === 1) this.#tell("audienceChanged");
    player.begin();
    return player;
  }

  /** A player leaves. */
  leave(player: Player): void {
    if (!this.#outputs.remove(player)) return;
    if (this.playerCount === 0) this.playerlessSince = this.clock.now();
    this.#noteIdle();
    if (this.localPlayers === 0) this.#tell("audienceChanged");
  }

  /** A follower begins; at its end `unfollow`. */
  follow(follower: Follower): void {
    this.#followers.add(follower);
    if (follower.needsStream) this.#publication.publisher?.hasAudience();
    if (this.published) follower.begin();
  }

  unfollow(follower: Follower): void {
    if (this.#followers.remove(follower) && follower.audience > 0) this.noteAudience();
  }

  /** The audience of a follower has changed. */
  noteAudience(): void {
    if (this.playerCount === 0) {
      this.playerlessSince ??= this.clock.now();
    } else if (this.playerlessSince !== null) {
      this.playerlessSince = null;
      this.#publication.publisher?.hasAudience();
    }
  }

  /** Once a second: moves readers on that do not keep up, frees what none needs. */
  tick(): void {
    this.#outputs.checkLag();
    this.#followers.checkLag();
    this.#trim();
  }

  // ---- inside

  /** Players stay, and get what has not been flushed yet. */
  #stop(): void {
    this.gop.forget();
    this.#outputs.stop();
    this.#trim();
    this.#noteIdle();
  }

  /** Frees what no reader needs; and when too much is needed, sees to it that less is. */
  #trim(): void {
    this.#free();
    if (this.#outputs.exceed(MAX_LOG_BYTES)) {
      this.gop.forget();
      this.#free();
      this.#outputs.dropBacklog(MAX_LOG_BYTES);
      if (this.log.bytes > MAX_LOG_BYTES) this.#followers.dropBacklog();
      this.#free();
    }
    this.#lastLogBytes = this.log.bytes;
  }

  #free(): void {
    this.#outputs.free(this.#followers.cursor, this.#trimming);
  }

  readonly #trimming = (min: number): void => this.#followers.trimming(min);

  #noteIdle(): void {
    if (!this.#publication.expected && this.localPlayers === 0) {
      this.idleSince ??= this.clock.now();
    }
  }

  #tell(what: "unpublished" | "audienceChanged"): void {
    for (const listener of this.#shared.listeners) listener[what]?.(this);
  }
}
