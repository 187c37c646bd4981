/**
 * Audio message headers, legacy and Enhanced RTMP (FLV 10.1 annex E; Enhanced RTMP v2).
 *
 *     legacy    format (4) | rate (2) | 16 bit (1) | stereo (1); for AAC: packet type (1)
 *     enhanced  9 (4) | packet type (4); then as in ex_header.ts
 * @module
 */

import {
  bodyOffsetOf,
  ExPacketType,
  fourCc,
  fourCcOf,
  FrameFlag,
  isMultitrack,
  packetTypeOf,
  parseExHeader,
  trackIdOf,
} from "./ex_header.ts";

/**
 * Codecs as `audioCodec` tells them: a FourCC as number, the same for a codec's legacy and enhanced form;
 * legacy formats without FourCC by their number (plus 256 for PCM, whose number 0 would read as none).
 */
export const AudioCodec = {
  NONE: 0,
  ADPCM: 1,
  PCM_LE: 3,
  NELLYMOSER_16K: 4,
  NELLYMOSER_8K: 5,
  NELLYMOSER: 6,
  G711A: 7,
  G711U: 8,
  SPEEX: 11,
  DEVICE: 15,
  PCM: 256,
  AAC: fourCc("mp4a"),
  MP3: fourCc(".mp3"),
  OPUS: fourCc("Opus"),
  FLAC: fourCc("fLaC"),
  AC3: fourCc("ac-3"),
  EAC3: fourCc("ec-3"),
} as const;

const FORMAT_PCM = 0;
const FORMAT_MP3 = 2;
const FORMAT_ENHANCED = 9;
const FORMAT_AAC = 10;
/** Opus by practice; Adobe reserved the number. */
const FORMAT_OPUS = 13;
const FORMAT_MP3_8K = 14;

const AAC_PACKET_SEQUENCE_HEADER = 0;

/** Bytes before the AudioSpecificConfig of a legacy AAC sequence header. */
const AAC_HEADER_BYTES = 2;

/** What an audio message is: a set of `FrameFlag` bits. Never throws, never allocates. */
export function audioFlags(payload: Uint8Array): number {
  if (payload.length === 0) return 0;
  const format = payload[0] >> 4;
  if (format === FORMAT_ENHANCED) return enhancedFlags(payload);
  return format === FORMAT_AAC && payload.length > AAC_HEADER_BYTES &&
      payload[1] === AAC_PACKET_SEQUENCE_HEADER
    ? FrameFlag.SEQUENCE_HEADER
    : 0;
}

/** The codec of an audio message, see `AudioCodec`; NONE if it is empty or cannot be told. */
export function audioCodec(payload: Uint8Array): number {
  if (payload.length === 0) return AudioCodec.NONE;
  const format = payload[0] >> 4;
  switch (format) {
    case FORMAT_ENHANCED: {
      const header = parseExHeader(payload, ExPacketType.AUDIO_MULTITRACK);
      return header < 0 ? AudioCodec.NONE : fourCcOf(payload, header);
    }
    case FORMAT_AAC:
      return AudioCodec.AAC;
    case FORMAT_MP3:
    case FORMAT_MP3_8K:
      return AudioCodec.MP3;
    case FORMAT_OPUS:
      return AudioCodec.OPUS;
    case FORMAT_PCM:
      return AudioCodec.PCM;
    default:
      return format;
  }
}

/** Track that an audio message is about: 0 unless it is Multitrack, then that of its first track. */
export function audioTrackId(payload: Uint8Array): number {
  if (payload.length === 0 || payload[0] >> 4 !== FORMAT_ENHANCED) return 0;
  const header = parseExHeader(payload, ExPacketType.AUDIO_MULTITRACK);
  return header < 0 ? 0 : Math.max(0, trackIdOf(payload, header));
}

/** Where the configuration of an audio sequence header begins; -1 if it is no such message. */
export function audioConfigOffset(payload: Uint8Array): number {
  if ((audioFlags(payload) & FrameFlag.SEQUENCE_HEADER) === 0) return -1;
  if (payload[0] >> 4 === FORMAT_AAC) return AAC_HEADER_BYTES;
  return bodyOffsetOf(parseExHeader(payload, ExPacketType.AUDIO_MULTITRACK));
}

/** Where the coded audio begins; -1 if the message has none, or a side track first. */
export function audioFrameOffset(payload: Uint8Array): number {
  if (payload.length === 0) return -1;
  const format = payload[0] >> 4;
  if (format === FORMAT_AAC) {
    return payload.length > AAC_HEADER_BYTES && payload[1] !== AAC_PACKET_SEQUENCE_HEADER
      ? AAC_HEADER_BYTES
      : -1;
  }
  if (format !== FORMAT_ENHANCED) return payload.length > 1 ? 1 : -1;
  const header = parseExHeader(payload, ExPacketType.AUDIO_MULTITRACK);
  if (header < 0 || packetTypeOf(header) !== ExPacketType.CODED_FRAMES) return -1;
  return trackIdOf(payload, header) === 0 ? bodyOffsetOf(header) : -1;
}

function enhancedFlags(payload: Uint8Array): number {
  const header = parseExHeader(payload, ExPacketType.AUDIO_MULTITRACK);
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
      return tracks | (hasBody ? FrameFlag.SEQUENCE_HEADER : 0);
    case ExPacketType.SEQUENCE_END:
      return tracks | FrameFlag.END_OF_SEQUENCE;
    case ExPacketType.AUDIO_MULTICHANNEL_CONFIG:
      return tracks | (hasBody ? FrameFlag.MULTICHANNEL_CONFIG : 0);
    default:
      return tracks;
  }
}
