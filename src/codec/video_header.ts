/**
 * Video message headers, legacy and Enhanced RTMP (FLV 10.1 annex E; Enhanced RTMP v2).
 *
 *     legacy    frame type (4) | codec (4); for AVC, HEVC, AV1: packet type (1), composition time (3)
 *     enhanced  1 (1) | frame type (3) | packet type (4); then as in ex_header.ts
 * @module
 */

import {
  bodyOffsetOf,
  BROKEN_HEADER,
  ExPacketType,
  fourCc,
  fourCcOf,
  FrameFlag,
  isMultitrack,
  packetTypeOf,
  parseExHeader,
  skipModEx,
  trackIdOf,
} from "./ex_header.ts";

/**
 * Codecs as `videoCodec` tells them: a FourCC as number, the same for a codec's legacy and enhanced form
 * (legacy 12 and `hvc1` are both HEVC, Q47); legacy codecs without FourCC by their number. An unknown
 * FourCC is given as it is.
 */
export const VideoCodec = {
  NONE: 0,
  H263: 2,
  SCREEN: 3,
  VP6: 4,
  VP6_ALPHA: 5,
  SCREEN2: 6,
  H264: fourCc("avc1"),
  HEVC: fourCc("hvc1"),
  AV1: fourCc("av01"),
  VP8: fourCc("vp08"),
  VP9: fourCc("vp09"),
  VVC: fourCc("vvc1"),
} as const;

/** Legacy codec numbers whose second byte is a packet type. 12 and 13 are practice, not Adobe's. */
const LEGACY_H264 = 7;
const LEGACY_HEVC = 12;
const LEGACY_AV1 = 13;

const LEGACY_PACKET_SEQUENCE_HEADER = 0;
const LEGACY_PACKET_FRAME = 1;
const LEGACY_PACKET_END = 2;

/** Bytes before the body of a legacy AVC, HEVC or AV1 message. */
const LEGACY_HEADER_BYTES = 5;

/** Bytes of the composition time before a coded frame. */
const COMPOSITION_TIME_BYTES = 3;

const FRAME_KEY = 1;
const FRAME_COMMAND = 5;

const ENHANCED_BIT = 0x80;

/** What a video message is: a set of `FrameFlag` bits. Never throws, never allocates. */
export function videoFlags(payload: Uint8Array): number {
  if (payload.length === 0) return 0;
  const first = payload[0];
  return (first & ENHANCED_BIT) !== 0
    ? enhancedFlags(payload, (first >> 4) & 7)
    : legacyFlags(payload);
}

/** The codec of a video message, see `VideoCodec`; NONE if it has none or cannot be told. */
export function videoCodec(payload: Uint8Array): number {
  if (payload.length === 0) return VideoCodec.NONE;
  if ((payload[0] & ENHANCED_BIT) !== 0) {
    const header = enhancedHeader(payload);
    return header < 0 ? VideoCodec.NONE : fourCcOf(payload, header);
  }
  const codec = payload[0] & 15;
  switch (codec) {
    case LEGACY_H264:
      return VideoCodec.H264;
    case LEGACY_HEVC:
      return VideoCodec.HEVC;
    case LEGACY_AV1:
      return VideoCodec.AV1;
    default:
      return codec;
  }
}

/** Track that a video message is about: 0 unless it is Multitrack, then that of its first track. */
export function videoTrackId(payload: Uint8Array): number {
  if (payload.length === 0 || (payload[0] & ENHANCED_BIT) === 0) return 0;
  const header = enhancedHeader(payload);
  return header < 0 ? 0 : Math.max(0, trackIdOf(payload, header));
}

/** Where the configuration record of a video sequence header begins; -1 if it is no such message. */
export function videoConfigOffset(payload: Uint8Array): number {
  if ((videoFlags(payload) & FrameFlag.SEQUENCE_HEADER) === 0) return -1;
  if ((payload[0] & ENHANCED_BIT) === 0) return LEGACY_HEADER_BYTES;
  return bodyOffsetOf(parseExHeader(payload, ExPacketType.VIDEO_MULTITRACK));
}

/** Where the coded picture of a keyframe begins; -1 if the message is none, or has a side track first. */
export function keyframeOffset(payload: Uint8Array): number {
  return (videoFlags(payload) & FrameFlag.KEYFRAME) !== 0 ? videoFrameOffset(payload) : -1;
}

/** Where the coded picture begins; -1 if the message has none, or a side track first. */
export function videoFrameOffset(payload: Uint8Array): number {
  if (payload.length === 0) return -1;
  if ((payload[0] & ENHANCED_BIT) === 0) {
    if (payload[0] >> 4 === FRAME_COMMAND) return -1;
    if (!isFramed(payload[0] & 15)) return 1;
    return payload[1] === LEGACY_PACKET_FRAME ? LEGACY_HEADER_BYTES : -1;
  }
  const header = enhancedHeader(payload);
  if (header < 0 || trackIdOf(payload, header) !== 0) return -1;
  switch (packetTypeOf(header)) {
    case ExPacketType.CODED_FRAMES:
      return bodyOffsetOf(header) + (hasTime(payload, header) ? COMPOSITION_TIME_BYTES : 0);
    case ExPacketType.CODED_FRAMES_X:
      return bodyOffsetOf(header);
    default:
      return -1;
  }
}

/** By how many ms a picture (see `videoFrameOffset`) is shown after its message's time; may be below 0. */
export function compositionTime(payload: Uint8Array): number {
  let at;
  if ((payload[0] & ENHANCED_BIT) === 0) {
    if (!isFramed(payload[0] & 15)) return 0;
    at = LEGACY_HEADER_BYTES - COMPOSITION_TIME_BYTES;
  } else {
    const header = enhancedHeader(payload);
    if (packetTypeOf(header) !== ExPacketType.CODED_FRAMES || !hasTime(payload, header)) return 0;
    at = bodyOffsetOf(header);
  }
  if (at + COMPOSITION_TIME_BYTES > payload.length) return 0;
  return (payload[at] << 24 | payload[at + 1] << 16 | payload[at + 2] << 8) >> 8;
}

/** Whether a picture of an enhanced message with coded frames has a composition time before it. */
function hasTime(payload: Uint8Array, header: number): boolean {
  const codec = fourCcOf(payload, header);
  return codec === VideoCodec.H264 || codec === VideoCodec.HEVC || codec === VideoCodec.VVC;
}

function isFramed(codec: number): boolean {
  return codec === LEGACY_H264 || codec === LEGACY_HEVC || codec === LEGACY_AV1;
}

function legacyFlags(payload: Uint8Array): number {
  const frameType = payload[0] >> 4;
  if (frameType === FRAME_COMMAND) return FrameFlag.COMMAND;
  const key = frameType === FRAME_KEY ? FrameFlag.KEYFRAME : 0;
  const codec = payload[0] & 15;
  if (!isFramed(codec)) return key;
  if (payload.length < 2) return 0;
  switch (payload[1]) {
    case LEGACY_PACKET_SEQUENCE_HEADER:
      return payload.length > LEGACY_HEADER_BYTES ? FrameFlag.SEQUENCE_HEADER : 0;
    case LEGACY_PACKET_FRAME:
      return key;
    case LEGACY_PACKET_END:
      return FrameFlag.END_OF_SEQUENCE;
    default:
      return 0;
  }
}

function enhancedFlags(payload: Uint8Array, frameType: number): number {
  if (isCommand(payload, frameType)) return FrameFlag.COMMAND;
  const header = parseExHeader(payload, ExPacketType.VIDEO_MULTITRACK);
  if (header < 0 || fourCcOf(payload, header) === 0) return 0;
  const track = trackIdOf(payload, header);
  if (track < 0) return 0;
  const tracks = !isMultitrack(header)
    ? 0
    : track === 0
    ? FrameFlag.MULTITRACK
    : FrameFlag.MULTITRACK | FrameFlag.SIDE_TRACK;
  const hasBody = payload.length > bodyOffsetOf(header);
  switch (packetTypeOf(header)) {
    case ExPacketType.SEQUENCE_START:
    case ExPacketType.VIDEO_MPEG2TS_SEQUENCE_START:
      return tracks | (hasBody ? FrameFlag.SEQUENCE_HEADER : 0);
    case ExPacketType.CODED_FRAMES:
    case ExPacketType.CODED_FRAMES_X:
      return tracks | (frameType === FRAME_KEY ? FrameFlag.KEYFRAME : 0);
    case ExPacketType.SEQUENCE_END:
      return tracks | FrameFlag.END_OF_SEQUENCE;
    case ExPacketType.VIDEO_METADATA:
      // The frame type bits mean nothing here: 0x94 is no keyframe.
      return tracks | (hasBody ? FrameFlag.METADATA : 0);
    default:
      return tracks;
  }
}

/** A command frame has one command byte where others have Multitrack or FourCC. */
function isCommand(payload: Uint8Array, frameType: number): boolean {
  if (frameType !== FRAME_COMMAND) return false;
  const header = skipModEx(payload);
  return header >= 0 && packetTypeOf(header) !== ExPacketType.VIDEO_METADATA;
}

function enhancedHeader(payload: Uint8Array): number {
  return isCommand(payload, (payload[0] >> 4) & 7)
    ? BROKEN_HEADER
    : parseExHeader(payload, ExPacketType.VIDEO_MULTITRACK);
}
