/**
 * What the API says of a stream's video and audio, with SRS's
 * words where SRS has one. The field names are those of the JSON.
 * @module
 */

import {
  aacFigures,
  type AudioFigures,
  flacFigures,
  mp3Figures,
  NO_AUDIO_FIGURES,
  opusFigures,
} from "./audio_config.ts";
import { AudioCodec, audioCodec, audioConfigOffset } from "./audio_header.ts";
import {
  av1Figures,
  h264Figures,
  hevcFigures,
  NO_VIDEO_FIGURES,
  type VideoFigures,
} from "./video_config.ts";
import { VideoCodec, videoCodec, videoConfigOffset } from "./video_header.ts";
import { vpxFigures } from "./vpx_figures.ts";

/** `streams[].video`. */
export interface VideoInfo {
  readonly codec: string;
  readonly profile: string | null;
  readonly level: string | null;
  /** Pixels, after cropping. */
  readonly width: number | null;
  readonly height: number | null;
  /** Bits of a luma sample. */
  readonly bit_depth: number | null;
}

/** `streams[].audio`. */
export interface AudioInfo {
  readonly codec: string;
  /** Hz. */
  readonly sample_rate: number | null;
  /** How many channels. */
  readonly channel: number | null;
  readonly profile: string | null;
}

const VIDEO_NAMES = new Map<number, string>([
  [VideoCodec.H264, "H264"],
  [VideoCodec.HEVC, "HEVC"],
  [VideoCodec.AV1, "AV1"],
  [VideoCodec.VP8, "VP8"],
  [VideoCodec.VP9, "VP9"],
  [VideoCodec.VVC, "VVC"],
  [VideoCodec.H263, "H263"],
  [VideoCodec.VP6, "VP6"],
  [VideoCodec.VP6_ALPHA, "VP6"],
]);

const AUDIO_NAMES = new Map<number, string>([
  [AudioCodec.AAC, "AAC"],
  [AudioCodec.MP3, "MP3"],
  [AudioCodec.OPUS, "Opus"],
  [AudioCodec.G711A, "G711A"],
  [AudioCodec.G711U, "G711U"],
  [AudioCodec.SPEEX, "Speex"],
  [AudioCodec.FLAC, "FLAC"],
  [AudioCodec.AC3, "AC3"],
  [AudioCodec.EAC3, "EAC3"],
]);

/** The word for a codec that has none of its own. */
const OTHER = "Other";

/** Rates of the two bits in a legacy audio header, Hz. */
const FLV_RATES = [5512, 11025, 22050, 44100];
const FORMAT_ENHANCED = 9;
const FORMAT_MP3_8K = 14;

/** Formats whose rate and channels are fixed, whatever the header bits say (FLV 10.1 E.4.2.1). */
const FIXED_RATES = new Map<number, number>([
  [AudioCodec.NELLYMOSER_16K, 16000],
  [AudioCodec.NELLYMOSER_8K, 8000],
  [AudioCodec.G711A, 8000],
  [AudioCodec.G711U, 8000],
  [AudioCodec.SPEEX, 16000],
  [AudioCodec.OPUS, 48000],
]);

/**
 * What a video message tells: figures from a sequence header, only the codec from others. `frame` are
 * those of the newest keyframe that has any (`frameFigures`). Null if it tells not even the codec. Never
 * throws.
 */
export function videoInfo(
  payload: Uint8Array,
  frame: VideoFigures = NO_VIDEO_FIGURES,
): VideoInfo | null {
  const codec = videoCodec(payload);
  if (codec === VideoCodec.NONE) return null;
  const offset = videoConfigOffset(payload);
  const record = offset < 0 ? NO_VIDEO_FIGURES : videoFigures(codec, payload.subarray(offset));
  // A parameter set in a frame takes the place of the record's. The frames of VP8 and VP9 have none.
  const isVpx = codec === VideoCodec.VP8 || codec === VideoCodec.VP9;
  const [first, second] = isVpx ? [record, frame] : [frame, record];
  const { width, height } = frame.width === null ? record : frame;
  return {
    codec: VIDEO_NAMES.get(codec) ?? OTHER,
    profile: first.profile ?? second.profile,
    level: first.level ?? second.level,
    width,
    height,
    bit_depth: first.bitDepth ?? second.bitDepth,
  };
}

/**
 * What an audio message tells: figures from a sequence header, or for codecs that have none from the
 * message's header. Null if it tells not even the codec. Never throws.
 */
export function audioInfo(payload: Uint8Array): AudioInfo | null {
  const codec = audioCodec(payload);
  if (codec === AudioCodec.NONE) return null;
  const offset = audioConfigOffset(payload);
  const figures = offset >= 0
    ? audioFigures(codec, payload.subarray(offset))
    : payload[0] >> 4 === FORMAT_ENHANCED || codec === AudioCodec.AAC
    ? NO_AUDIO_FIGURES
    : legacyFigures(codec, payload);
  return {
    codec: AUDIO_NAMES.get(codec) ?? OTHER,
    sample_rate: figures.sampleRate,
    // An AudioSpecificConfig may leave the channels to the stream; then the FLV bit must do.
    channel: figures.channels ?? (offset === 2 ? (payload[0] & 1) + 1 : null),
    profile: figures.profile,
  };
}

function videoFigures(codec: number, record: Uint8Array): VideoFigures {
  switch (codec) {
    case VideoCodec.H264:
      return h264Figures(record);
    case VideoCodec.HEVC:
      return hevcFigures(record);
    case VideoCodec.AV1:
      return av1Figures(record);
    case VideoCodec.VP8:
    case VideoCodec.VP9:
      return vpxFigures(record);
    default:
      return NO_VIDEO_FIGURES;
  }
}

function audioFigures(codec: number, config: Uint8Array): AudioFigures {
  switch (codec) {
    case AudioCodec.AAC:
      return aacFigures(config);
    case AudioCodec.OPUS:
      return opusFigures(config);
    case AudioCodec.FLAC:
      return flacFigures(config);
    default:
      return NO_AUDIO_FIGURES;
  }
}

function legacyFigures(codec: number, payload: Uint8Array): AudioFigures {
  const first = payload[0];
  if (codec === AudioCodec.MP3) {
    const figures = mp3Figures(payload.subarray(1));
    if (figures.sampleRate !== null) return figures;
  }
  const rate = first >> 4 === FORMAT_MP3_8K ? 8000 : FIXED_RATES.get(codec);
  return {
    sampleRate: rate ?? FLV_RATES[(first >> 2) & 3],
    channels: (first & 1) + 1,
    profile: null,
  };
}
