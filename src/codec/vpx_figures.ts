/**
 * Figures of VP8 and VP9. Their configuration record (vpcC, "VP Codec ISO Media File Format Binding")
 * tells no size; it stands in the header of every keyframe, which is not compressed.
 * @module
 */

import { BitReader } from "./bit_reader.ts";
import { believableSize, NO_VIDEO_FIGURES, type VideoFigures } from "./video_config.ts";

/** Levels that VP9 has, times 10. */
const VP9_LEVELS = [10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 52, 60, 61, 62];
const BIT_DEPTHS = [8, 10, 12];
const PROFILES = 4;

/** Size of the version and flags with which the record begins in MP4, and in some encoders' FLV. */
const FULL_BOX_BYTES = 4;

const VP9_FRAME_MARKER = 2;
const VP9_SYNC_CODE = 0x498342;
const VP9_COLOR_SPACE_RGB = 7;
/** Bytes behind VP8's frame tag: start code 9D 01 2A, then width and height in 14 bits each. */
const VP8_KEYFRAME_BYTES = 10;

/** Figures of a VPCodecConfigurationRecord, with or without version and flags in front. */
export function vpxFigures(record: Uint8Array): VideoFigures {
  // 01 000000 as a record would be profile 1, level 0, samples of 0 bits: there is no such thing.
  const isFullBox = record[0] <= 1 && record[1] === 0 && record[2] === 0 && record[3] === 0;
  const at = isFullBox ? FULL_BOX_BYTES : 0;
  if (record.length < at + 3) return NO_VIDEO_FIGURES;
  const [profile, level, depth] = record.subarray(at);
  return {
    ...NO_VIDEO_FIGURES,
    profile: profileName(profile),
    level: VP9_LEVELS.includes(level) ? `${Math.floor(level / 10)}.${level % 10}` : "Other",
    bitDepth: knownDepth(depth >> 4),
  };
}

/** Figures of a VP9 keyframe: its uncompressed header (VP9 bitstream specification, 6.2). */
export function vp9FrameFigures(frame: Uint8Array): VideoFigures {
  const bits = new BitReader(frame);
  if (bits.bits(2) !== VP9_FRAME_MARKER) return NO_VIDEO_FIGURES;
  const profile = bits.bits(1) + 2 * bits.bits(1);
  if (profile === 3) bits.skip(1);
  const showsExisting = bits.flag();
  const isInter = bits.flag();
  if (showsExisting || isInter) return NO_VIDEO_FIGURES;
  bits.skip(2); // shown, error resilient
  if (bits.bits(24) !== VP9_SYNC_CODE) return NO_VIDEO_FIGURES;
  const bitDepth = profile < 2 ? 8 : bits.flag() ? 12 : 10;
  const hasSubsampling = profile === 1 || profile === 3;
  if (bits.bits(3) !== VP9_COLOR_SPACE_RGB) bits.skip(hasSubsampling ? 4 : 1);
  else if (hasSubsampling) bits.skip(1);
  const width = bits.bits(16) + 1;
  const height = bits.bits(16) + 1;
  if (bits.overrun) return NO_VIDEO_FIGURES;
  return {
    profile: `Profile ${profile}`,
    level: null,
    bitDepth,
    ...believableSize({ width, height }),
  };
}

/** Figures of a VP8 keyframe (RFC 6386, 9.1). */
export function vp8FrameFigures(frame: Uint8Array): VideoFigures {
  const isKeyframe = frame.length >= VP8_KEYFRAME_BYTES && (frame[0] & 1) === 0 &&
    frame[3] === 0x9d && frame[4] === 1 && frame[5] === 0x2a;
  if (!isKeyframe) return NO_VIDEO_FIGURES;
  const version = (frame[0] >> 1) & 7;
  return {
    profile: profileName(version),
    level: null,
    bitDepth: 8,
    ...believableSize({
      width: frame[6] | ((frame[7] & 0x3f) << 8),
      height: frame[8] | ((frame[9] & 0x3f) << 8),
    }),
  };
}

function profileName(profile: number): string {
  return profile < PROFILES ? `Profile ${profile}` : "Other";
}

function knownDepth(bits: number): number | null {
  return BIT_DEPTHS.includes(bits) ? bits : null;
}
