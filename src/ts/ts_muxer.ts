/**
 * Makes MPEG-TS of a stream's messages: H.264, HEVC, AAC and MP3, as SRS does; other codecs have no place
 * in it. Each message is first looked at (`take`), which tells how many bytes it becomes, then written.
 *
 * Unlike SRS's, the stream tells its clock with every picture, or with every audio frame if there is no
 * video (the standard wants it every 100 ms), and its tables every half second.
 * @module
 */

import { ADTS_HEADER_BYTES, ADTS_MAX_BYTES, type AdtsFields, adtsFields } from "../codec/adts.ts";
import { writeAdtsHeader } from "../codec/adts.ts";
import {
  AudioCodec,
  audioCodec,
  audioConfigOffset,
  audioFrameOffset,
} from "../codec/audio_header.ts";
import { FrameFlag } from "../codec/ex_header.ts";
import {
  h264ParameterSets,
  hevcParameterSets,
  type ParameterSets,
  START_CODE,
} from "../codec/parameter_sets.ts";
import {
  compositionTime,
  VideoCodec,
  videoCodec,
  videoConfigOffset,
  videoFlags,
  videoFrameOffset,
} from "../codec/video_header.ts";
import { MessageType } from "../rtmp/message.ts";
import { TABLES_MS } from "./limits.ts";
import { H264_NALS, HEVC_NALS, type NalKinds, NalUnits } from "../codec/nal_units.ts";
import { PACKET_BYTES, packetsOf, PesWriter } from "./packet.ts";
import { patPacket, Pid, pmtPacket, StreamType, TABLES_BYTES } from "./tables.ts";

const VIDEO_STREAM_ID = 0xe0;
const AUDIO_STREAM_ID = 0xc0;

/** Ticks of the clock in 1 ms; it has 33 bits. */
const TICKS_PER_MS = 90;
const CLOCK_TICKS = 2 ** 33;

interface VideoTrack {
  readonly type: number;
  readonly kinds: NalKinds;
  readonly sets: ParameterSets;
}

interface AudioTrack {
  readonly type: number;
  /** Of AAC. */
  readonly adts: AdtsFields | null;
}

/** A message that has been looked at, and is still to be written. */
interface Taken {
  payload: Uint8Array;
  /** Where in it the frame begins. */
  offset: number;
  isVideo: boolean;
  isKey: boolean;
  hasTables: boolean;
  /** Bytes that the frame has in the transport stream. */
  length: number;
  pts: number;
  dts: number;
}

/** One transport stream. */
export class TsMuxer {
  #video: VideoTrack | null = null;
  #audio: AudioTrack | null = null;
  readonly #pat = patPacket();
  #pmt: Uint8Array | null = null;
  #pmtVersion = 0;
  #tablesAt = -Infinity;
  readonly #counters = { pat: 0, pmt: 0, video: 0, audio: 0 };
  readonly #nals = new NalUnits();
  readonly #pes = new PesWriter();
  readonly #taken: Taken = {
    payload: new Uint8Array(0),
    offset: 0,
    isVideo: false,
    isKey: false,
    hasTables: false,
    length: 0,
    pts: 0,
    dts: 0,
  };

  /**
   * Looks at a message (of a stream with one track of each kind; `time`: its own, ms). Returns the bytes
   * that `write` writes for it; 0: none. The payload must not change until then.
   */
  take(type: number, time: number, payload: Uint8Array): number {
    if (type === MessageType.VIDEO) return this.#takeVideo(time, payload);
    return type === MessageType.AUDIO ? this.#takeAudio(time, payload) : 0;
  }

  /** Writes what was taken last at `at`; returns the position after it. */
  write(target: Uint8Array, at: number): number {
    const taken = this.#taken;
    if (taken.hasTables) at = this.#writeTables(target, at);
    const { isVideo, pts, dts, length, isKey } = taken;
    const hasPcr = isVideo || this.#video === null;
    const packets = packetsOf(length, pts !== dts, hasPcr);
    const counters = this.#counters;
    this.#pes.begin(target, at, {
      pid: isVideo ? Pid.VIDEO : Pid.AUDIO,
      streamId: isVideo ? VIDEO_STREAM_ID : AUDIO_STREAM_ID,
      pts,
      dts,
      hasPcr,
      isKey,
      counter: isVideo ? counters.video : counters.audio,
    }, length);
    if (isVideo) this.#putPicture(taken);
    else this.#putAudio(taken);
    if (isVideo) counters.video += packets;
    else counters.audio += packets;
    return this.#pes.at;
  }

  #takeVideo(time: number, payload: Uint8Array): number {
    const config = videoConfigOffset(payload);
    if (config >= 0) {
      this.#setVideo(videoTrackOf(videoCodec(payload), payload.subarray(config)));
      return 0;
    }
    const track = this.#video;
    const offset = track ? videoFrameOffset(payload) : -1;
    if (!track || offset < 0 || typeOf(videoCodec(payload)) !== track.type) return 0;
    const nals = this.#nals;
    nals.find(payload, offset, track.sets.lengthBytes, track.kinds);
    if (nals.bytes === 0) return 0;
    const isKey = (videoFlags(payload) & FrameFlag.KEYFRAME) !== 0;
    let length = nals.bytes;
    if (!nals.delimited) length += track.kinds.delimiterBytes.length;
    if (isKey && !nals.hasSets) length += track.sets.annexB.length;
    return this.#takeFrame(true, isKey, time, compositionTime(payload), payload, offset, length);
  }

  #takeAudio(time: number, payload: Uint8Array): number {
    const config = audioConfigOffset(payload);
    const codec = audioCodec(payload);
    if (config >= 0) {
      const adts = codec === AudioCodec.AAC ? adtsFields(payload.subarray(config)) : null;
      this.#setAudio(adts ? { type: StreamType.AAC, adts } : null);
      return 0;
    }
    const offset = audioFrameOffset(payload);
    if (offset < 0 || offset >= payload.length) return 0;
    if (codec === AudioCodec.MP3) {
      if (this.#audio?.type !== StreamType.MP3) {
        this.#setAudio({ type: StreamType.MP3, adts: null });
      }
    } else if (codec !== AudioCodec.AAC) return 0;
    const track = this.#audio;
    if (!track || (track.adts === null) !== (codec === AudioCodec.MP3)) return 0;
    const length = payload.length - offset + (track.adts ? ADTS_HEADER_BYTES : 0);
    if (track.adts && length > ADTS_MAX_BYTES) return 0;
    return this.#takeFrame(false, false, time, 0, payload, offset, length);
  }

  #takeFrame(
    isVideo: boolean,
    isKey: boolean,
    time: number,
    composition: number,
    payload: Uint8Array,
    offset: number,
    length: number,
  ): number {
    const due = isKey || this.#pmt === null || Math.abs(time - this.#tablesAt) >= TABLES_MS;
    const taken = this.#taken;
    taken.payload = payload;
    taken.offset = offset;
    taken.isVideo = isVideo;
    taken.isKey = isKey;
    taken.hasTables = due;
    taken.length = length;
    taken.dts = clock(time);
    taken.pts = clock(time + composition);
    if (due) this.#tablesAt = time;
    const packets = packetsOf(length, taken.pts !== taken.dts, isVideo || this.#video === null);
    return (due ? TABLES_BYTES : 0) + packets * PACKET_BYTES;
  }

  #putPicture({ payload, isKey }: Taken): void {
    const track = this.#video;
    if (!track) return;
    const { sets, kinds } = track;
    const nals = this.#nals;
    const pes = this.#pes;
    // A delimiter is the first of all; the picture's own comes with it.
    if (!nals.delimited) pes.put(kinds.delimiterBytes);
    let setsDue = isKey && !nals.hasSets;
    const before = nals.delimited ? 1 : 0;
    let index = 0;
    nals.each((start, end) => {
      if (setsDue && index++ === before) {
        pes.put(sets.annexB);
        setsDue = false;
      }
      pes.put(START_CODE);
      pes.put(payload, start, end);
    });
    // A picture that is nothing but a delimiter.
    if (setsDue) pes.put(sets.annexB);
  }

  #putAudio({ payload, offset }: Taken): void {
    const adts = this.#audio?.adts;
    if (adts) {
      writeAdtsHeader(adtsHeader, 0, adts, payload.length - offset);
      this.#pes.put(adtsHeader);
    }
    this.#pes.put(payload, offset);
  }

  #setVideo(track: VideoTrack | null): void {
    if (track?.type !== this.#video?.type) this.#changed();
    this.#video = track;
  }

  #setAudio(track: AudioTrack | null): void {
    if (track?.type !== this.#audio?.type) this.#changed();
    this.#audio = track;
  }

  /** Other tracks: the tables are said again. */
  #changed(): void {
    if (this.#pmt) this.#pmtVersion++;
    this.#pmt = null;
  }

  #writeTables(target: Uint8Array, at: number): number {
    this.#pmt ??= pmtPacket(
      { video: this.#video?.type ?? 0, audio: this.#audio?.type ?? 0 },
      this.#pmtVersion,
    );
    target.set(this.#pat, at);
    setCounter(target, at, this.#counters.pat++);
    target.set(this.#pmt, at + PACKET_BYTES);
    setCounter(target, at + PACKET_BYTES, this.#counters.pmt++);
    return at + TABLES_BYTES;
  }
}

/** Written and put again and again. */
const adtsHeader = new Uint8Array(ADTS_HEADER_BYTES);

function setCounter(target: Uint8Array, packet: number, counter: number): void {
  target[packet + 3] = target[packet + 3] & 0xf0 | counter & 0x0f;
}

/** A time in ms as the clock shows it. */
function clock(ms: number): number {
  const ticks = ms * TICKS_PER_MS % CLOCK_TICKS;
  return ticks < 0 ? ticks + CLOCK_TICKS : ticks;
}

/** What a video codec is called in the tables; 0: it has no place in them. */
function typeOf(codec: number): number {
  if (codec === VideoCodec.H264) return StreamType.H264;
  return codec === VideoCodec.HEVC ? StreamType.HEVC : 0;
}

function videoTrackOf(codec: number, record: Uint8Array): VideoTrack | null {
  const type = typeOf(codec);
  if (type === 0) return null;
  const isH264 = type === StreamType.H264;
  const sets = isH264 ? h264ParameterSets(record) : hevcParameterSets(record);
  if (!sets) return null;
  return { type, kinds: isH264 ? H264_NALS : HEVC_NALS, sets };
}

/** Whether MPEG-TS has a place for a codec, as `videoCodec` and `audioCodec` tell them. */
export function fitsTs(codec: number): boolean {
  return typeOf(codec) !== 0 || codec === AudioCodec.AAC || codec === AudioCodec.MP3;
}
