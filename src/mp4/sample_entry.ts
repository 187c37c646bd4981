/**
 * What `stsd` says of a track: its codec, and the configuration that FLV has in the sequence header.
 * @module
 */

import { AudioCodec } from "../codec/audio_header.ts";
import { VideoCodec } from "../codec/video_header.ts";
import { box, type Content, fullBox, u16, u24, u32, zeros } from "./boxes.ts";

/** The index of the only entry of `dref`, behind 6 reserved bytes. */
const DATA_REFERENCE = [...zeros(6), ...u16(1)];

/** 72 dots per inch, as a fixed-point number. */
const RESOLUTION = 0x480000;
const DEPTH_24 = 0x18;
const NO_COLOUR_TABLE = 0xffff;

/** Type of the entry and of the configuration in it, by codec. */
const VIDEO_BOXES = new Map<number, readonly [entry: string, config: string]>([
  [VideoCodec.H264, ["avc1", "avcC"]],
  [VideoCodec.HEVC, ["hvc1", "hvcC"]],
  [VideoCodec.AV1, ["av01", "av1C"]],
  [VideoCodec.VP9, ["vp09", "vpcC"]],
]);

/**
 * The entry of a video track, from the configuration record of its sequence header; null: MP4 has no place
 * for the codec here.
 */
export function videoEntry(
  codec: number,
  record: Uint8Array,
  width: number,
  height: number,
): Uint8Array | null {
  const types = VIDEO_BOXES.get(codec);
  if (!types) return null;
  const config = codec === VideoCodec.VP9 ? vpRecord(record) : record;
  return box(
    types[0],
    DATA_REFERENCE,
    zeros(16),
    ...[u16(width), u16(height), u32(RESOLUTION), u32(RESOLUTION), u32(0), u16(1)],
    zeros(32),
    ...[u16(DEPTH_24), u16(NO_COLOUR_TABLE)],
    box(types[1], config),
  );
}

/** `vpcC` begins with version and flags, which some encoders send and some do not. */
function vpRecord(record: Uint8Array): Content {
  const hasVersion = record[0] <= 1 && record[1] === 0 && record[2] === 0 && record[3] === 0;
  return hasVersion ? record : [1, ...u24(0), ...record];
}

/** What an audio track's entry needs beside its codec. */
export interface AudioFormat {
  readonly codec: number;
  /** The configuration of the sequence header; empty for MP3. */
  readonly config: Uint8Array;
  /** Hz. */
  readonly sampleRate: number;
  readonly channels: number;
}

/** The entry of an audio track; null: MP4 has no place for the codec here. */
export function audioEntry(format: AudioFormat): Uint8Array | null {
  const { codec, config } = format;
  switch (codec) {
    case AudioCodec.AAC:
      return soundBox("mp4a", format, esds(OBJECT_AAC, config));
    case AudioCodec.MP3:
      return soundBox("mp4a", format, esds(OBJECT_MP3, null));
    case AudioCodec.OPUS: {
      const specific = opusBox(config);
      return specific ? soundBox("Opus", format, specific) : null;
    }
    case AudioCodec.FLAC:
      return config.length > FLAC_MARKER_BYTES
        ? soundBox("fLaC", format, fullBox("dfLa", 0, 0, config.subarray(FLAC_MARKER_BYTES)))
        : null;
    default:
      return null;
  }
}

const SAMPLE_BITS = 16;
/** "fLaC"; the metadata blocks behind it are what `dfLa` has. */
const FLAC_MARKER_BYTES = 4;

function soundBox(
  type: string,
  { sampleRate, channels }: AudioFormat,
  specific: Uint8Array,
): Uint8Array {
  // 16 bits of Hz: what does not fit is said by the codec's own configuration.
  const rate = sampleRate <= 0xffff ? sampleRate : 0;
  return box(
    type,
    DATA_REFERENCE,
    zeros(8),
    ...[u16(channels), u16(SAMPLE_BITS), u32(0), u16(rate), u16(0)],
    specific,
  );
}

/** Kinds of streams in MPEG-4 systems (ISO/IEC 14496-1 §7.2.6). */
const OBJECT_AAC = 0x40;
const OBJECT_MP3 = 0x6b;
const AUDIO_STREAM = 0x15;
const ES_DESCRIPTOR = 3;
const DECODER_CONFIG = 4;
const DECODER_SPECIFIC = 5;
const SYNC_CONFIG = 6;
const MP4_SYNC = 2;

function esds(object: number, specific: Uint8Array | null): Uint8Array {
  const decoder = descriptor(
    DECODER_CONFIG,
    [object, AUDIO_STREAM, ...u24(0), ...u32(0), ...u32(0)],
    specific ? descriptor(DECODER_SPECIFIC, specific) : [],
  );
  const sync = descriptor(SYNC_CONFIG, [MP4_SYNC]);
  return fullBox("esds", 0, 0, descriptor(ES_DESCRIPTOR, [...u16(1), 0], decoder, sync));
}

/** A tag, a length in 4 bytes of 7 bits, and the content. */
function descriptor(tag: number, ...content: readonly Content[]): number[] {
  const bytes = content.flatMap((part) => [...part]);
  const { length } = bytes;
  const size = [21, 14, 7].map((shift) => 0x80 | length >> shift & 0x7f);
  return [tag, ...size, length & 0x7f, ...bytes];
}

/** OpusHead (RFC 7845 §5.1): magic (8), version, channels, pre-skip, rate, gain, mapping family. */
const OPUS_HEAD_BYTES = 19;
const OPUS_CHANNELS_AT = 9;
const OPUS_FAMILY_AT = 18;

/** `dOps`: the same fields as OpusHead, without magic, the highest bytes first. */
function opusBox(head: Uint8Array): Uint8Array | null {
  if (head.length < OPUS_HEAD_BYTES) return null;
  const swapped = (at: number, count: number) => [...head.subarray(at, at + count)].reverse();
  const hasTable = head[OPUS_FAMILY_AT] !== 0;
  return box(
    "dOps",
    [0, head[OPUS_CHANNELS_AT], ...swapped(10, 2), ...swapped(12, 4), ...swapped(16, 2)],
    head.subarray(OPUS_FAMILY_AT, hasTable ? head.length : OPUS_HEAD_BYTES),
  );
}
