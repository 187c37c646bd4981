/**
 * The tracks of a stream as MP4 has them, from its messages: codec, configuration, clock.
 * @module
 */

import {
  AudioCodec,
  audioCodec,
  audioConfigOffset,
  audioFrameOffset,
} from "../codec/audio_header.ts";
import { type AudioClock, audioClock } from "../codec/audio_frames.ts";
import { FrameFlag } from "../codec/ex_header.ts";
import { H264_NALS, HEVC_NALS, type NalKinds } from "../codec/nal_units.ts";
import { h264ParameterSets, hevcParameterSets } from "../codec/parameter_sets.ts";
import { av1Figures, h264Figures, hevcFigures, type VideoFigures } from "../codec/video_config.ts";
import {
  compositionTime,
  VideoCodec,
  videoCodec,
  videoConfigOffset,
  videoFlags,
  videoFrameOffset,
} from "../codec/video_header.ts";
import { vp9FrameFigures } from "../codec/vpx_figures.ts";
import { audioCodecString, videoCodecString } from "../mp4/codec_string.ts";
import type { Mp4Track } from "../mp4/init_segment.ts";
import { pictureSample } from "../mp4/picture.ts";
import { audioEntry, videoEntry } from "../mp4/sample_entry.ts";

/** Ids of the tracks in MP4. */
export const VIDEO_TRACK = 1;
export const AUDIO_TRACK = 2;
/** Ticks per second of video. */
export const VIDEO_TIMESCALE = 90_000;

/** A frame out of a message. */
export interface Frame {
  readonly isVideo: boolean;
  /** A copy. */
  readonly data: Uint8Array;
  readonly isSync: boolean;
  /** ms by which a picture is shown later. */
  readonly composition: number;
  /** Samples of an audio frame; 0: unknown. */
  readonly samples: number;
}

/** What is known of one kind of media. */
interface Known {
  readonly track: Mp4Track;
  readonly codec: number;
  /** As playlists name it. */
  readonly name: string;
}

interface KnownVideo extends Known {
  /** H.264 and HEVC: units and the bytes of their lengths. */
  readonly nals: { readonly kinds: NalKinds; readonly lengthBytes: number } | null;
}

interface KnownAudio extends Known {
  readonly clock: AudioClock;
}

/** The tracks of one publication. */
export class Tracks {
  #video: KnownVideo | null = null;
  #audio: KnownAudio | null = null;
  /** VP9: its size stands in keyframes alone. */
  #vp9: Uint8Array | null = null;
  /** Grows whenever a decoder needs another init segment. */
  generation = 0;

  get video(): Known | null {
    return this.#video;
  }

  get audio(): (Known & { readonly clock: AudioClock }) | null {
    return this.#audio;
  }

  /** What an init segment has to list. */
  get all(): Mp4Track[] {
    return [this.#video, this.#audio].flatMap((known) => known ? [known.track] : []);
  }

  /** A video message: a frame of it, or null. */
  takeVideo(payload: Uint8Array): Frame | null {
    const codec = videoCodec(payload);
    const config = videoConfigOffset(payload);
    if (config >= 0) {
      const record = payload.slice(config);
      if (codec === VideoCodec.VP9) this.#vp9 = record;
      else this.#setVideo(videoOf(codec, record));
      return null;
    }
    const offset = videoFrameOffset(payload);
    if (offset < 0) return null;
    const isSync = (videoFlags(payload) & FrameFlag.KEYFRAME) !== 0;
    if (codec === VideoCodec.VP9 && isSync) this.#learnVp9(payload.subarray(offset));
    const video = this.#video;
    if (video?.codec !== codec) return null;
    const { nals } = video;
    const data = nals
      ? pictureSample(payload, offset, nals.lengthBytes, nals.kinds)
      : payload.slice(offset);
    if (data.length === 0) return null;
    return { isVideo: true, data, isSync, composition: compositionTime(payload), samples: 0 };
  }

  /** An audio message: a frame of it, or null. */
  takeAudio(payload: Uint8Array): Frame | null {
    const codec = audioCodec(payload);
    const config = audioConfigOffset(payload);
    if (config >= 0) {
      this.#setAudio(audioOf(codec, payload.slice(config)));
      return null;
    }
    const offset = audioFrameOffset(payload);
    if (offset < 0 || offset >= payload.length) return null;
    const data = payload.slice(offset);
    if (codec === AudioCodec.MP3 && this.#audio?.codec !== codec) {
      this.#setAudio(audioOf(codec, data));
    }
    const audio = this.#audio;
    if (audio?.codec !== codec) return null;
    const samples = audio.clock.samplesOf(data);
    return { isVideo: false, data, isSync: true, composition: 0, samples };
  }

  #learnVp9(frame: Uint8Array): void {
    if (!this.#vp9) return;
    const { width, height } = vp9FrameFigures(frame);
    if (width === null || height === null) return;
    this.#setVideo(videoWith(VideoCodec.VP9, this.#vp9, width, height));
  }

  #setVideo(video: KnownVideo | null): void {
    if (sameEntry(this.#video, video)) return;
    this.#video = video;
    this.generation++;
  }

  #setAudio(audio: KnownAudio | null): void {
    if (sameEntry(this.#audio, audio)) return;
    this.#audio = audio;
    this.generation++;
  }
}

function sameEntry(a: Known | null, b: Known | null): boolean {
  if (!a || !b) return a === b;
  const [x, y] = [a.track.entry, b.track.entry];
  return x.length === y.length && x.every((byte, i) => byte === y[i]);
}

function figuresOf(codec: number, record: Uint8Array): VideoFigures | null {
  switch (codec) {
    case VideoCodec.H264:
      return h264Figures(record);
    case VideoCodec.HEVC:
      return hevcFigures(record);
    case VideoCodec.AV1:
      return av1Figures(record);
    default:
      return null;
  }
}

function videoOf(codec: number, record: Uint8Array): KnownVideo | null {
  const figures = figuresOf(codec, record);
  return figures && videoWith(codec, record, figures.width ?? 0, figures.height ?? 0);
}

function videoWith(
  codec: number,
  record: Uint8Array,
  width: number,
  height: number,
): KnownVideo | null {
  const entry = videoEntry(codec, record, width, height);
  const name = videoCodecString(codec, record);
  if (!entry || name === null) return null;
  const kinds = codec === VideoCodec.H264
    ? H264_NALS
    : codec === VideoCodec.HEVC
    ? HEVC_NALS
    : null;
  const sets = kinds === H264_NALS ? h264ParameterSets(record) : hevcParameterSets(record);
  const track: Mp4Track = {
    ...{ id: VIDEO_TRACK, kind: "video", timescale: VIDEO_TIMESCALE },
    ...{ entry, width, height },
  };
  return { track, codec, name, nals: kinds && { kinds, lengthBytes: sets?.lengthBytes ?? 4 } };
}

function audioOf(codec: number, config: Uint8Array): KnownAudio | null {
  const clock = audioClock(codec, config);
  const name = audioCodecString(codec, config);
  if (!clock || name === null) return null;
  const { rate, channels } = clock;
  const format = { codec, config, sampleRate: rate, channels };
  const entry = audioEntry(format);
  if (!entry) return null;
  const track: Mp4Track = {
    ...{ id: AUDIO_TRACK, kind: "audio", timescale: rate },
    ...{ entry, width: 0, height: 0 },
  };
  return { track, codec, name, clock };
}
