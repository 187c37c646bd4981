/**
 * Ingest: a publisher's message gets its time, is noted among the headers and in the GOP, and becomes an
 * entry of the log.
 * @module
 */

import type { PlayConfig, TimeJitter } from "../../config/types.ts";
import { audioFlags, audioTrackId } from "../../codec/audio_header.ts";
import { playerData } from "../../codec/data_message.ts";
import { FrameFlag, JOIN_FLAGS } from "../../codec/ex_header.ts";
import { readMetadata, writeMetadata } from "../../codec/metadata.ts";
import { mainMessage } from "../../codec/multitrack.ts";
import { videoFlags, videoTrackId } from "../../codec/video_header.ts";
import { propertyOf } from "../../rtmp/amf_access.ts";
import { MessageType } from "../../rtmp/message.ts";
import { type BroadcastLog, Entry } from "../log/broadcast_log.ts";
import type { Clock } from "../clock.ts";
import { Contents } from "./contents.ts";
import { Gop } from "./gop.ts";
import { HeaderCache } from "./header_cache.ts";
import type { MessageFormat } from "../log/message_format.ts";
import { MixQueue } from "./mix_queue.ts";
import { Timeline, trackKey } from "./timeline.ts";
import { TrackFigures } from "./track_figures.ts";

/**
 * Timestamp of metadata, ms (SRS): ffmpeg's demuxer takes any other for a track of subtitles, and VLC,
 * waiting for those, shows the first picture for ever.
 */
const METADATA_TIME = 0;

/** Video messages with these flags show nothing. */
const NO_PICTURE = FrameFlag.COMMAND | FrameFlag.END_OF_SEQUENCE;

/** How a publisher's timestamps are corrected; `atc`: not at all. */
function jitterOf(play: PlayConfig): TimeJitter {
  return play.atc ? "off" : play.timeJitter;
}

/** The stream around its ingest. */
export interface IngestHost {
  /** Something reads the log. */
  readonly hasReaders: boolean;
  /** Headers are about to change: readers take the entries that belong to the present ones. */
  headersChange(): void;
  /** The log has an entry more. */
  appended(): void;
  /** The log has an entry without bytes, which no reader gets. */
  passed(): void;
  /** Readers that wait for a keyframe resume at this entry. */
  resumeAt(entry: number): void;
}

/** The messages of one stream, from one publisher after the other. */
export class Ingest {
  /** Where decoding can begin. */
  readonly gop: Gop;
  /** Metadata and sequence headers of the present publisher. */
  headers = new HeaderCache();
  /** Whether the present publisher sends audio and video. */
  contents = new Contents();
  tracks = new TrackFigures();
  timeline: Timeline;
  /** Timestamps are the publisher's own, those of metadata too. */
  absolute: boolean;
  /** Video messages with a picture of the main track that publishers have sent, in total. */
  videoFrames = 0;
  /** It has had multitrack messages: not every entry of the log is for every player. */
  hasTracks = false;
  /** Entry of the newest metadata or sequence header; -1: none. */
  lastHeaderEntry = -1;
  /** Entry of the newest video message; -1: none. */
  newestVideo = -1;

  readonly #log: BroadcastLog;
  readonly #format: MessageFormat;
  readonly #clock: Clock;
  readonly #version: string;
  readonly #host: IngestHost;
  #play: PlayConfig;
  /** `time_jitter` or `atc` have changed: the next publisher's timestamps are treated otherwise. */
  #otherTime = false;
  #mix: MixQueue | null;

  /** `format`: of the bytes in the log; `version`: of this server, for the metadata that players get. */
  constructor(
    log: BroadcastLog,
    format: MessageFormat,
    play: PlayConfig,
    clock: Clock,
    version: string,
    host: IngestHost,
  ) {
    this.#log = log;
    this.#format = format;
    this.#play = play;
    this.#clock = clock;
    this.#version = version;
    this.#host = host;
    this.gop = new Gop(play.gopCache, play.gopCacheMaxFrames);
    this.timeline = new Timeline(jitterOf(play));
    this.absolute = jitterOf(play) === "off";
    this.#mix = play.mixCorrect ? new MixQueue() : null;
  }

  /** Timestamps and their order are corrected as before until the next publisher begins. */
  configure(play: PlayConfig): void {
    if (jitterOf(play) !== jitterOf(this.#play)) this.#otherTime = true;
    this.#play = play;
    this.gop.configure(play.gopCache, play.gopCacheMaxFrames);
  }

  /** A publisher begins. `corrected`: its timestamps have been corrected already. */
  begin(corrected: boolean): void {
    this.headers = new HeaderCache();
    this.#beginTime(corrected);
    this.beginMedia();
  }

  /** What is known of the media is that of a new publisher. */
  beginMedia(): void {
    this.contents = new Contents();
    this.tracks = new TrackFigures();
    this.gop.restart();
  }

  /** The publisher ends: what is held back for the order of timestamps goes into the log. */
  end(): void {
    this.#mix?.drain((type, timestamp, payload) => this.#accept(type, timestamp, payload));
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
    const play = this.#play;
    const fields = readMetadata(type, payload);
    if (!fields) {
      const data = play.passData ? playerData(type, payload) : null;
      if (data) this.media(MessageType.DATA_AMF0, timestamp, data);
      return data !== null;
    }
    if (play.atcAuto && !this.absolute && propertyOf(fields, "bravo_atc") === "true") {
      this.keepTimestamps();
    }
    const metadata = writeMetadata(fields, this.#version);
    this.#host.headersChange();
    const changed = this.headers.setMetadata(metadata);
    if (!changed && play.reduceSequenceHeader) return true;
    this.#write(
      MessageType.DATA_AMF0,
      this.timeline.now,
      metadata,
      Entry.DATA | Entry.HEADER,
      this.absolute ? timestamp : METADATA_TIME,
    );
    return true;
  }

  /** Metadata has no time of its own, unless timestamps are the publisher's. */
  metadataTime(time: number): number {
    return this.absolute ? time : METADATA_TIME;
  }

  /** From now on timestamps are the publisher's own. */
  keepTimestamps(): void {
    this.timeline = new Timeline("off");
    this.absolute = true;
  }

  /**
   * Writes the headers for all players that are here, behind what they have not had yet. Each header is
   * an entry of its own, as when it was published.
   */
  repeatHeaders(time: number): void {
    this.headers.each(time, this.metadataTime(time), (type, stamp, payload, flags) => {
      const kind = type === MessageType.VIDEO
        ? Entry.VIDEO
        : type === MessageType.AUDIO
        ? Entry.AUDIO
        : Entry.DATA;
      this.#append(type, time, payload, flags | kind | Entry.HEADER, stamp);
    });
  }

  /** Notes an entry that has been added to the log ready-made. */
  noteAdopted(entry: number, flags: number): void {
    this.#noteEntry(entry, flags);
    if ((flags & (Entry.AUDIO | Entry.VIDEO)) === 0 || flags & Entry.MULTITRACK) return;
    const isHeader = (flags & Entry.HEADER) !== 0;
    this.contents.note((flags & Entry.VIDEO) !== 0, isHeader, this.#clock.now());
  }

  // ---- inside

  #beginTime(corrected: boolean): void {
    const { mixCorrect } = this.#play;
    // It has been drained when the last publisher left.
    if (mixCorrect !== (this.#mix !== null)) this.#mix = mixCorrect ? new MixQueue() : null;
    if (!this.#otherTime) return this.timeline.restart(undefined, corrected);
    this.#otherTime = false;
    const jitter = jitterOf(this.#play);
    this.timeline.restart(jitter, corrected);
    this.absolute = jitter === "off";
  }

  #accept(type: number, timestamp: number, payload: Uint8Array): void {
    if (type === MessageType.VIDEO) this.#acceptVideo(timestamp, payload);
    else if (type === MessageType.AUDIO) this.#acceptAudio(timestamp, payload);
    else this.#acceptData(timestamp, payload);
  }

  /** Data that is not kept: its place is where it came, whatever its own timestamp says. */
  #acceptData(timestamp: number, payload: Uint8Array): void {
    const time = this.timeline.now;
    const stamp = this.absolute ? timestamp : time;
    this.#write(MessageType.DATA_AMF0, time, payload, Entry.DATA, stamp);
  }

  #acceptVideo(timestamp: number, payload: Uint8Array): void {
    const frame = videoFlags(payload);
    const main = mainMessage(MessageType.VIDEO, frame, payload);
    const track = videoTrackId(payload);
    let flags: number = Entry.VIDEO;
    if (this.headers.isForeign(MessageType.VIDEO, frame, payload)) {
      flags |= Entry.HEADER | Entry.MULTITRACK;
    } else if (frame & JOIN_FLAGS) {
      flags |= Entry.HEADER;
      this.tracks.note(true, frame, track, payload);
      const changed = this.#remember(MessageType.VIDEO, frame, track, payload);
      if (!changed && this.#play.reduceSequenceHeader) return;
      if (changed && main && (frame & FrameFlag.SEQUENCE_HEADER)) {
        // What was decodable with the old header is not with the new one.
        this.gop.forget();
        this.tracks.configured();
      }
    } else {
      this.tracks.note(true, frame, track, payload);
      if (frame & FrameFlag.KEYFRAME) {
        this.#noteCodec(MessageType.VIDEO, payload, !(frame & FrameFlag.SIDE_TRACK));
        if (main) {
          flags |= Entry.KEYFRAME;
          this.tracks.keyframe(main, this.headers.video);
        }
      }
    }
    this.#noteContents(true, main, flags);
    const time = this.#stamp(trackKey(true, track), timestamp, flags);
    const entry = this.#writeMedia(MessageType.VIDEO, time, payload, main, frame, flags);
    // The figures and the GOP are those of the track that every player plays.
    if (!main || flags & Entry.HEADER) return;
    if (!(frame & NO_PICTURE)) this.videoFrames++;
    if (flags & Entry.KEYFRAME) {
      this.gop.keyframe(entry, time, this.#clock.now());
      this.#host.resumeAt(entry);
    } else {
      this.gop.picture(time, this.#clock.now());
    }
  }

  #acceptAudio(timestamp: number, payload: Uint8Array): void {
    const frame = audioFlags(payload);
    const main = mainMessage(MessageType.AUDIO, frame, payload);
    const track = audioTrackId(payload);
    let flags: number = Entry.AUDIO;
    if (this.headers.isForeign(MessageType.AUDIO, frame, payload)) {
      flags |= Entry.HEADER | Entry.MULTITRACK;
    } else if (frame & JOIN_FLAGS) {
      flags |= Entry.HEADER;
      this.tracks.note(false, frame, track, payload);
      const changed = this.#remember(MessageType.AUDIO, frame, track, payload);
      if (!changed && this.#play.reduceSequenceHeader) return;
    } else {
      this.tracks.note(false, frame, track, payload);
      this.#noteCodec(MessageType.AUDIO, payload, !(frame & FrameFlag.SIDE_TRACK));
    }
    this.#noteContents(false, main, flags);
    const time = this.#stamp(trackKey(false, track), timestamp, flags);
    const entry = this.#writeMedia(MessageType.AUDIO, time, payload, main, frame, flags);
    if (!main) return;
    // Video has ended, or never was: no player need wait for a keyframe.
    if (this.gop.audio(time, this.#clock.now())) this.#host.resumeAt(entry);
  }

  /** Players of FLV, who are promised what is in the stream, have the main tracks alone. */
  #noteContents(isVideo: boolean, main: Uint8Array | null, flags: number): void {
    if (!main || flags & Entry.MULTITRACK) return;
    this.contents.note(isVideo, (flags & Entry.HEADER) !== 0, this.#clock.now());
  }

  #stamp(track: number, timestamp: number, flags: number): number {
    const now = this.#clock.now();
    return flags & Entry.HEADER
      ? this.timeline.stampHeader(track, timestamp, now)
      : this.timeline.stamp(track, timestamp, now);
  }

  /** Keeps a header for joiners, one of each kind for each track; false if it was known. */
  #remember(type: number, frame: number, track: number, payload: Uint8Array): boolean {
    // What came before it belongs to the old headers, for the players of other threads too.
    this.#host.headersChange();
    const audience = frame & FrameFlag.MULTITRACK ? "multitrack" : "all";
    const otherCodec = this.headers.changesCodec(type, payload) === "yes";
    if (otherCodec && !(frame & FrameFlag.SIDE_TRACK)) this.gop.forget();
    return this.headers.set(type, { kind: frame & JOIN_FLAGS, track, payload, audience });
  }

  /** A frame may have another codec than its track had, without a header that says so (MP3, VP6). */
  #noteCodec(type: number, payload: Uint8Array, isMain: boolean): void {
    const change = this.headers.changesCodec(type, payload);
    if (change === "no") return;
    this.#host.headersChange();
    // Joiners get no header of the old codec: what came with it is of no use to them.
    if (change === "yes" && isMain) this.gop.forget();
    this.headers.noteCodec(type, payload);
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
    if (!(frame & FrameFlag.MULTITRACK)) {
      return this.#write(type, time, payload, flags);
    }
    const entry = this.#write(type, time, payload, flags | Entry.MULTITRACK);
    if (main) {
      if (flags & Entry.HEADER) {
        const kind = frame & JOIN_FLAGS;
        this.headers.set(type, { kind, track: 0, payload: main, audience: "main track" });
      }
      this.#write(type, time, main, flags | Entry.MAIN_TRACK);
    }
    return entry;
  }

  /**
   * Turns a message into the log's bytes, once for all players. `time` is when it is due in the stream,
   * `stamp` what players are told, both ms.
   */
  #write(
    type: number,
    time: number,
    payload: Uint8Array,
    flags: number,
    stamp: number = time,
  ): number {
    const entry = this.#append(type, time, payload, flags, stamp);
    this.#host.appended();
    return entry;
  }

  #append(type: number, time: number, payload: Uint8Array, flags: number, stamp: number): number {
    const log = this.#log;
    const now = this.#clock.now();
    if (!this.#play.gopCache && !this.#host.hasReaders) return this.#pass(flags, time, now);
    const size = this.#format.size(payload.length, stamp);
    const target = log.reserve(size, now);
    this.#format.write(target, log.writeAt, type, stamp, payload);
    const entry = log.commit(size, flags, time, now);
    this.#noteEntry(entry, flags);
    return entry;
  }

  /** A message that no reader will get is counted, and that is all. */
  #pass(flags: number, time: number, now: number): number {
    const entry = this.#log.pass(flags, time, now);
    this.#host.passed();
    this.#noteEntry(entry, flags);
    return entry;
  }

  #noteEntry(entry: number, flags: number): void {
    if (flags & Entry.HEADER) this.lastHeaderEntry = entry;
    if (flags & Entry.VIDEO) this.newestVideo = entry;
    if (flags & Entry.MULTITRACK) this.hasTracks = true;
  }
}
