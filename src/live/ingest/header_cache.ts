/**
 * What a decoder must have before anything else: metadata and sequence headers, as last published.
 * @module
 */

import { audioCodec, audioTrackId } from "../../codec/audio_header.ts";
import { FrameFlag } from "../../codec/ex_header.ts";
import { videoCodec, videoTrackId } from "../../codec/video_header.ts";
import { MessageType } from "../../rtmp/message.ts";
import { Entry } from "../log/broadcast_log.ts";
import { MAX_HEADER_BYTES } from "../limits.ts";
import type { MessageFormat } from "../log/message_format.ts";
import { type Audience, sameBytes, type TrackHeader, TrackHeaders } from "./track_headers.ts";

/** Bytes of a message that tell its codec: the extended header and its FourCC. */
const SAMPLE_BYTES = 8;

/** The track that every player plays. */
const MAIN_TRACK = 0;

/** A codec that cannot be told. */
const NO_CODEC = 0;

/** What a header for an audience is in the log. */
const AUDIENCE_FLAG: Readonly<Record<Audience, number>> = {
  "all": 0,
  "multitrack": Entry.MULTITRACK,
  "main track": Entry.MAIN_TRACK,
};

/** The contents of a cache. */
export interface HeaderSnapshot {
  readonly metadata: Uint8Array | null;
  readonly audio: readonly TrackHeader[];
  readonly video: readonly TrackHeader[];
}

interface Encoded {
  readonly format: MessageFormat;
  readonly time: number;
  readonly metadataTime: number;
  readonly skip: number;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** The configuration messages of one publisher. */
export class HeaderCache {
  /** Grows with every change. */
  version = 0;
  #metadata: Uint8Array | null = null;
  readonly #audio = new TrackHeaders(audioCodec);
  readonly #video = new TrackHeaders(videoCodec);
  /** MP3, G.711 and the like have no sequence header: the first bytes of a message tell the codec. */
  #audioSample: Uint8Array | null = null;
  #videoSample: Uint8Array | null = null;
  /** What `encode` last gave, and for what. */
  #encoded: Encoded | null = null;

  /** A cache with the contents of another one. */
  static from({ metadata, audio, video }: HeaderSnapshot): HeaderCache {
    const cache = new HeaderCache();
    cache.#metadata = metadata;
    for (const header of audio) cache.#audio.set(header);
    for (const header of video) cache.#video.set(header);
    return cache;
  }

  /** All that a joining player needs. */
  snapshot(): HeaderSnapshot {
    return {
      metadata: this.#metadata,
      audio: [...this.#audio.current()],
      video: [...this.#video.current()],
    };
  }

  /** Body of the last metadata message, or null. */
  get metadata(): Uint8Array | null {
    return this.#metadata;
  }

  /** The main track's audio sequence header; without one, the beginning of an audio message; or null. */
  get audio(): Uint8Array | null {
    return this.#audio.main ?? this.#audioSample ?? this.#audio.first;
  }

  /** The main track's video sequence header; without one, the beginning of a keyframe; or null. */
  get video(): Uint8Array | null {
    return this.#video.main ?? this.#videoSample ?? this.#video.first;
  }

  /**
   * Remembers metadata (copied), unless it is longer than a header may be: then none are known. False when
   * it is what was known already.
   */
  setMetadata(payload: Uint8Array): boolean {
    if (this.#metadata && sameBytes(this.#metadata, payload)) return false;
    this.#metadata = payload.length <= MAX_HEADER_BYTES ? payload.slice() : null;
    this.version++;
    return true;
  }

  /** Remembers an audio or video header (copied); false when it is what was in use already. */
  set(type: number, header: TrackHeader): boolean {
    const headers = type === MessageType.AUDIO ? this.#audio : this.#video;
    if (!headers.set(header)) return false;
    if (header.track === MAIN_TRACK && header.kind === FrameFlag.SEQUENCE_HEADER) {
      this.#dropSample(type);
    }
    this.version++;
    return true;
  }

  /**
   * Whether a message that is no header has another codec than its track had: "first" when nothing of
   * the track has come before. `noteCodec` takes it over.
   */
  changesCodec(type: number, payload: Uint8Array): "no" | "first" | "yes" {
    const isAudio = type === MessageType.AUDIO;
    const codec = isAudio ? audioCodec(payload) : videoCodec(payload);
    if (codec === NO_CODEC) return "no";
    const used = isAudio
      ? this.#audio.codec(audioTrackId(payload))
      : this.#video.codec(videoTrackId(payload));
    return used === codec ? "no" : used === undefined ? "first" : "yes";
  }

  /**
   * Whether colour metadata or a layout of channels (`frame`: its `FrameFlag` bits) has another codec than
   * its track: it is of a track that only players which know several tracks have. FFmpeg 8.1 sends the
   * colours of each video track as if they were the main one's.
   */
  isForeign(type: number, frame: number, payload: Uint8Array): boolean {
    const isCompanion = (frame & (FrameFlag.METADATA | FrameFlag.MULTICHANNEL_CONFIG)) !== 0;
    return isCompanion && this.changesCodec(type, payload) === "yes";
  }

  /** The message's track has its codec from now on, and headers of that codec are told to joiners. */
  noteCodec(type: number, payload: Uint8Array): void {
    const isAudio = type === MessageType.AUDIO;
    const track = isAudio ? audioTrackId(payload) : videoTrackId(payload);
    if (isAudio) this.#audio.use(track, audioCodec(payload));
    else this.#video.use(track, videoCodec(payload));
    if (track === MAIN_TRACK) {
      const sample = payload.slice(0, SAMPLE_BYTES);
      if (isAudio) this.#audioSample = sample;
      else this.#videoSample = sample;
    }
    this.version++;
  }

  #dropSample(type: number): void {
    if (type === MessageType.AUDIO) this.#audioSample = null;
    else this.#videoSample = null;
  }

  /** Calls `take` with each message of it, its time, and the `Entry` bits that say whom it is for. */
  each(
    time: number,
    metadataTime: number,
    take: (type: number, time: number, payload: Uint8Array, flags: number) => void,
  ): void {
    if (this.#metadata) take(MessageType.DATA_AMF0, metadataTime, this.#metadata, 0);
    for (const { payload, audience } of this.#audio.current()) {
      take(MessageType.AUDIO, time, payload, AUDIENCE_FLAG[audience]);
    }
    for (const { payload, audience } of this.#video.current()) {
      take(MessageType.VIDEO, time, payload, AUDIENCE_FLAG[audience]);
    }
  }

  /**
   * All of it for a joining player, in the format of its output: metadata, audio, video. Players that
   * join at the same place share the bytes, which never change.
   * @param time Of the sequence headers, ms.
   * @param metadataTime Of the metadata, ms.
   * @param skip `Entry` bits of what is not for this player.
   */
  encode(format: MessageFormat, time: number, metadataTime: number, skip: number): Uint8Array {
    const last = this.#encoded;
    if (
      last?.format === format && last.time === time && last.metadataTime === metadataTime &&
      last.skip === skip && last.version === this.version
    ) return last.bytes;
    const bytes = this.#encode(format, time, metadataTime, skip);
    this.#encoded = { format, time, metadataTime, skip, version: this.version, bytes };
    return bytes;
  }

  #encode(format: MessageFormat, time: number, metadataTime: number, skip: number): Uint8Array {
    const messages: [type: number, time: number, payload: Uint8Array][] = [];
    if (this.#metadata) messages.push([MessageType.DATA_AMF0, metadataTime, this.#metadata]);
    const add = (type: number, kind: number, headers: Iterable<TrackHeader>) => {
      for (const { payload, audience } of headers) {
        if (((kind | AUDIENCE_FLAG[audience]) & skip) === 0) messages.push([type, time, payload]);
      }
    };
    add(MessageType.AUDIO, Entry.AUDIO, this.#audio.current());
    add(MessageType.VIDEO, Entry.VIDEO, this.#video.current());
    let size = 0;
    for (const [, at, payload] of messages) size += format.size(payload.length, at);
    const bytes = new Uint8Array(size);
    let end = 0;
    for (const [type, at, payload] of messages) end = format.write(bytes, end, type, at, payload);
    return bytes;
  }
}
