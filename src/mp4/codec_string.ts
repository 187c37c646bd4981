/**
 * Codecs as browsers and playlists name them (RFC 6381; ISO/IEC 14496-15 annex E; the AV1 and VP9 bindings
 * of MP4).
 * @module
 */

import { AudioCodec } from "../codec/audio_header.ts";
import { VideoCodec } from "../codec/video_header.ts";

/** The name of a video codec with its configuration record, such as `avc1.64001f`; null: it has none. */
export function videoCodecString(codec: number, record: Uint8Array): string | null {
  if (record.length < MIN_RECORD_BYTES) return null;
  switch (codec) {
    case VideoCodec.H264:
      return `avc1.${hex(record.subarray(1, 4))}`;
    case VideoCodec.HEVC:
      return record.length < HEVC_RECORD_BYTES ? null : hevcString(record);
    case VideoCodec.AV1:
      return av1String(record);
    case VideoCodec.VP9:
      return vp9String(record);
    default:
      return null;
  }
}

/** The name of an audio codec with its configuration, such as `mp4a.40.2`; null: it has none. */
export function audioCodecString(codec: number, config: Uint8Array): string | null {
  switch (codec) {
    case AudioCodec.AAC: {
      const type = config[0] >> 3;
      const whole = type === 31 ? 32 + ((config[0] & 7) << 3 | config[1] >> 5) : type;
      return config.length < 2 ? null : `mp4a.40.${whole}`;
    }
    case AudioCodec.MP3:
      return "mp4a.40.34";
    case AudioCodec.OPUS:
      return "opus";
    case AudioCodec.FLAC:
      return "flac";
    default:
      return null;
  }
}

/** The shortest record that says what is in the name. */
const MIN_RECORD_BYTES = 4;
const HEVC_RECORD_BYTES = 13;

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

/** `hvc1.` profile space and profile `.` compatibility, turned round `.` tier and level `.` constraints. */
function hevcString(record: Uint8Array): string {
  const space = ["", "A", "B", "C"][record[1] >> 6];
  const profile = record[1] & 0x1f;
  let compatible = 0;
  for (let bit = 0; bit < 32; bit++) {
    if (record[2 + (bit >> 3)] >> 7 - (bit & 7) & 1) compatible += 2 ** bit;
  }
  const tier = (record[1] & 0x20) === 0 ? "L" : "H";
  const constraints = Array.from(record.subarray(6, 12));
  while (constraints.length > 0 && constraints[constraints.length - 1] === 0) constraints.pop();
  const parts = [`${space}${profile}`, compatible.toString(16), `${tier}${record[12]}`];
  return ["hvc1", ...parts, ...constraints.map((byte) => byte.toString(16))].join(".");
}

function av1String(record: Uint8Array): string {
  const tier = (record[2] & 0x80) === 0 ? "M" : "H";
  const depth = (record[2] & 0x40) === 0 ? 8 : (record[2] & 0x20) === 0 ? 10 : 12;
  return `av01.${record[1] >> 5}.${twoDigits(record[1] & 31)}${tier}.${twoDigits(depth)}`;
}

/** The record may have version and flags before it. */
function vp9String(record: Uint8Array): string | null {
  const hasVersion = record[0] <= 1 && record[1] === 0 && record[2] === 0 && record[3] === 0;
  const [profile, level, depth] = record.subarray(hasVersion ? 4 : 0);
  if (depth === undefined) return null;
  return `vp09.${twoDigits(profile)}.${twoDigits(level)}.${twoDigits(depth >> 4)}`;
}
