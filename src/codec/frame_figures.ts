/**
 * Figures that stand in keyframes: of codecs whose configuration record tells no size (VP8, VP9), or that
 * have no such record (H.263, Screen Video), and of those that may change it without another record, by a
 * parameter set in the frame (H.264, HEVC, AV1).
 * @module
 */

import { BitReader } from "./bit_reader.ts";
import {
  av1FrameFigures,
  believableSize,
  H264_SPS,
  h264SpsFigures,
  HEVC_SPS,
  hevcSpsFigures,
  NO_VIDEO_FIGURES,
  type VideoFigures,
} from "./video_config.ts";
import { keyframeOffset, VideoCodec, videoCodec, videoConfigOffset } from "./video_header.ts";
import { vp8FrameFigures, vp9FrameFigures } from "./vpx_figures.ts";

/** NAL units that are looked at: parameter sets come first, with an access unit delimiter and SEI. */
const MAX_NAL_UNITS = 16;
/** Where the records have the length size of NAL units, less one, in two bits. */
const AVCC_LENGTH_SIZE_AT = 4;
const HVCC_LENGTH_SIZE_AT = 21;
/** Length size without a record to tell it. */
const USUAL_LENGTH_SIZE = 4;
/** Largest type of NAL units that are slices. */
const H264_LAST_SLICE = 5;
const HEVC_LAST_SLICE = 31;

const H263_START_CODE = 1;
/** Sizes that Sorenson's H.263 has numbers for; 0 and 1 have their size behind them. */
const H263_SIZES = [null, null, [352, 288], [176, 144], [128, 96], [320, 240], [160, 120]] as const;

/**
 * The figures in a video message, if it is a keyframe. Null figures: it does not tell. Never throws.
 * @param header The sequence header of the same track, or any other message: it tells how NAL units are cut.
 */
export function frameFigures(payload: Uint8Array, header: Uint8Array | null): VideoFigures {
  const offset = keyframeOffset(payload);
  if (offset < 0) return NO_VIDEO_FIGURES;
  const frame = payload.subarray(offset);
  switch (videoCodec(payload)) {
    case VideoCodec.H264:
      return h264FrameFigures(frame, lengthSize(VideoCodec.H264, AVCC_LENGTH_SIZE_AT, header));
    case VideoCodec.HEVC:
      return hevcFrameFigures(frame, lengthSize(VideoCodec.HEVC, HVCC_LENGTH_SIZE_AT, header));
    case VideoCodec.AV1:
      return av1FrameFigures(frame);
    case VideoCodec.VP8:
      return vp8FrameFigures(frame);
    case VideoCodec.VP9:
      return vp9FrameFigures(frame);
    case VideoCodec.H263:
      return h263FrameFigures(frame);
    case VideoCodec.SCREEN:
    case VideoCodec.SCREEN2:
      return screenFrameFigures(frame);
    default:
      return NO_VIDEO_FIGURES;
  }
}

function lengthSize(codec: number, at: number, header: Uint8Array | null): number {
  const offset = header !== null && videoCodec(header) === codec ? videoConfigOffset(header) : -1;
  const byte = offset < 0 ? undefined : header?.[offset + at];
  return byte === undefined ? USUAL_LENGTH_SIZE : (byte & 3) + 1;
}

function h264FrameFigures(frame: Uint8Array, size: number): VideoFigures {
  const type = (first: number) => first & 31;
  const sps = findNal(frame, size, type, H264_SPS, (t) => t >= 1 && t <= H264_LAST_SLICE);
  return sps === null ? NO_VIDEO_FIGURES : h264SpsFigures(sps);
}

function hevcFrameFigures(frame: Uint8Array, size: number): VideoFigures {
  const type = (first: number) => (first >> 1) & 63;
  const sps = findNal(frame, size, type, HEVC_SPS, (t) => t <= HEVC_LAST_SLICE);
  return sps === null ? NO_VIDEO_FIGURES : hevcSpsFigures(sps);
}

/** The NAL unit of type `wanted` before the first slice; null: there is none, or the frame is broken. */
function findNal(
  frame: Uint8Array,
  size: number,
  typeOf: (firstByte: number) => number,
  wanted: number,
  isSlice: (type: number) => boolean,
): Uint8Array | null {
  let at = 0;
  for (let n = 0; n < MAX_NAL_UNITS && at + size < frame.length; n++) {
    let length = 0;
    for (const end = at + size; at < end; at++) length = length * 256 + frame[at];
    if (length > frame.length - at) return null;
    if (length > 0) {
      const type = typeOf(frame[at]);
      if (type === wanted) return frame.subarray(at, at + length);
      if (isSlice(type)) return null;
    }
    at += length;
  }
  return null;
}

/** Sorenson's H.263 (SWF file format, H.263 video packet). */
function h263FrameFigures(frame: Uint8Array): VideoFigures {
  const bits = new BitReader(frame);
  if (bits.bits(17) !== H263_START_CODE) return NO_VIDEO_FIGURES;
  bits.skip(5 + 8); // version, temporal reference
  const kind = bits.bits(3);
  const known = H263_SIZES[kind];
  const sizeBits = kind === 0 ? 8 : kind === 1 ? 16 : 0;
  const [width, height] = known ?? [bits.bits(sizeBits), bits.bits(sizeBits)];
  if (bits.overrun) return NO_VIDEO_FIGURES;
  return { ...NO_VIDEO_FIGURES, ...believableSize({ width, height }) };
}

/** Screen Video (SWF file format): block width (4), width (12), block height (4), height (12). */
function screenFrameFigures(frame: Uint8Array): VideoFigures {
  if (frame.length < 4) return NO_VIDEO_FIGURES;
  const width = ((frame[0] & 15) << 8) | frame[1];
  const height = ((frame[2] & 15) << 8) | frame[3];
  return { ...NO_VIDEO_FIGURES, ...believableSize({ width, height }) };
}
