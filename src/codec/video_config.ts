/**
 * Figures from video configuration records, and from the parameter sets in them: avcC, hvcC, av1C (vpcC is
 * in vpx_figures.ts). They feed the statistics and nothing else, so a record that cannot be read has no
 * figures, and never stops a stream (H15).
 * @module
 */

import { MAX_SAMPLES, MAX_SIDE } from "./limits.ts";
import { BitReader, unescapeNal } from "./bit_reader.ts";

/** What a configuration record, or a keyframe, tells. Null: not said, or not believable. */
export interface VideoFigures {
  readonly profile: string | null;
  readonly level: string | null;
  readonly width: number | null;
  readonly height: number | null;
  /** Bits of a luma sample. */
  readonly bitDepth: number | null;
}

/** No figures at all. */
export const NO_VIDEO_FIGURES: VideoFigures = {
  profile: null,
  level: null,
  width: null,
  height: null,
  bitDepth: null,
};

/** SRS's words; it goes by profile_idc alone. */
const H264_PROFILES = new Map([
  [66, "Baseline"],
  [77, "Main"],
  [88, "Extended"],
  [100, "High"],
  [110, "High(10)"],
  [122, "High(422)"],
  [144, "High(444)"],
  [244, "High(444+Predictive)"],
]);
const H264_LEVELS = [10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52, 60, 61, 62];
/** Profiles whose SPS carries the chroma format and scaling lists. */
const H264_HIGH_PROFILES = [44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244];
/** Type of the NAL units that are sequence parameter sets. */
export const H264_SPS = 7;
const CHROMA_420 = 1;
const CHROMA_422 = 2;
const CHROMA_444 = 3;
/** Most reference offsets in a picture order count cycle. */
const POC_CYCLE_MAX = 255;

const HEVC_PROFILES = new Map([
  [1, "Main"],
  [2, "Main10"],
  [3, "Main Still Picture"],
  [4, "Rext"],
]);
const HEVC_LEVELS = [30, 60, 63, 90, 93, 120, 123, 150, 153, 156, 180, 183, 186];
/** Type of the NAL units that are sequence parameter sets. */
export const HEVC_SPS = 33;
/** Bytes of such a unit: profile space, tier and profile; level. */
const HEVC_SPS_PROFILE_AT = 3;
const HEVC_SPS_LEVEL_AT = 14;

const AV1_PROFILES = ["Main", "High", "Professional"];
const AV1_SEQUENCE_HEADER = 1;

interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a sequence parameter set tells. */
interface SpsFigures extends Size {
  readonly bitDepth: number;
}

/** Largest bit depth that H.264 and HEVC have. */
const MAX_BIT_DEPTH = 16;

/** Figures of an AVCDecoderConfigurationRecord. Its reserved bits are not looked at (Q45). */
export function h264Figures(record: Uint8Array): VideoFigures {
  if (record.length < 4) return NO_VIDEO_FIGURES;
  const sps = firstH264Sps(record);
  const figures = sps === null ? NO_VIDEO_FIGURES : h264SpsFigures(sps);
  return { ...figures, ...h264ProfileLevel(record[1], record[3]) };
}

/** Figures of a sequence parameter set of H.264, a whole NAL unit. */
export function h264SpsFigures(nal: Uint8Array): VideoFigures {
  if (nal.length < 4) return NO_VIDEO_FIGURES;
  const sps = readH264Sps(unescapeNal(nal.subarray(1)));
  return {
    ...h264ProfileLevel(nal[1], nal[3]),
    ...sizeOrNull(sps),
    bitDepth: depthOrNull(sps),
  };
}

/** Figures of an HEVCDecoderConfigurationRecord. */
export function hevcFigures(record: Uint8Array): VideoFigures {
  if (record.length < 13) return NO_VIDEO_FIGURES;
  const sps = firstHevcSps(record);
  const figures = sps === null ? NO_VIDEO_FIGURES : hevcSpsFigures(sps);
  return { ...figures, ...hevcProfileLevel(record[1], record[12]) };
}

/** Figures of a sequence parameter set of HEVC, a whole NAL unit. */
export function hevcSpsFigures(nal: Uint8Array): VideoFigures {
  const bytes = unescapeNal(nal);
  if (bytes.length <= HEVC_SPS_LEVEL_AT) return NO_VIDEO_FIGURES;
  const sps = readHevcSps(bytes);
  return {
    ...hevcProfileLevel(bytes[HEVC_SPS_PROFILE_AT], bytes[HEVC_SPS_LEVEL_AT]),
    ...sizeOrNull(sps),
    bitDepth: depthOrNull(sps),
  };
}

/** Figures of an AV1CodecConfigurationRecord; the size if the record carries the sequence header. */
export function av1Figures(record: Uint8Array): VideoFigures {
  if (record.length < 4) return NO_VIDEO_FIGURES;
  return {
    ...av1FrameFigures(record.subarray(4)),
    ...av1ProfileLevel(record[1] >> 5, record[1] & 31),
    bitDepth: (record[2] & 0x40) === 0 ? 8 : (record[2] & 0x20) === 0 ? 10 : 12,
  };
}

/** Figures of an AV1 keyframe: those of the sequence header among its OBUs. */
export function av1FrameFigures(obus: Uint8Array): VideoFigures {
  const obu = av1SequenceHeader(obus);
  const header = obu === null ? null : readAv1Sequence(obu);
  if (header === null) return NO_VIDEO_FIGURES;
  return {
    ...av1ProfileLevel(header.profile, header.level),
    ...sizeOrNull(header),
    bitDepth: null,
  };
}

function h264ProfileLevel(profile: number, level: number) {
  return {
    profile: H264_PROFILES.get(profile) ?? "Other",
    level: H264_LEVELS.includes(level) ? String(level / 10) : "Other",
  };
}

function hevcProfileLevel(profile: number, level: number) {
  return {
    profile: HEVC_PROFILES.get(profile & 31) ?? "Other",
    level: HEVC_LEVELS.includes(level) ? String(level / 30) : "Other",
  };
}

function av1ProfileLevel(profile: number, level: number) {
  return {
    profile: AV1_PROFILES[profile] ?? "Other",
    level: level < 24 ? `${2 + (level >> 2)}.${level & 3}` : "Other",
  };
}

function sizeOrNull(size: Size | null): { width: number | null; height: number | null } {
  return size === null ? { width: null, height: null } : believableSize(size);
}

/** A picture's size; nulls for one that no level of these codecs allows. */
export function believableSize(size: Size): { width: number | null; height: number | null } {
  const { width, height } = size;
  const believable = width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE &&
    width * height <= MAX_SAMPLES;
  return believable ? { width, height } : { width: null, height: null };
}

function depthOrNull(sps: SpsFigures | null): number | null {
  return sps !== null && sps.bitDepth <= MAX_BIT_DEPTH ? sps.bitDepth : null;
}

/** The first SPS of an avcC: version, profile, flags, level, length size, SPS count, then u16 length. */
function firstH264Sps(record: Uint8Array): Uint8Array | null {
  if (record.length < 8 || (record[5] & 31) === 0) return null;
  const length = (record[6] << 8) | record[7];
  if (length < 4 || 8 + length > record.length) return null;
  const nal = record.subarray(8, 8 + length);
  return (nal[0] & 31) === H264_SPS ? nal : null;
}

function readH264Sps(sps: Uint8Array): SpsFigures | null {
  const bits = new BitReader(sps);
  const profile = bits.bits(8);
  bits.skip(16); // constraint flags, level
  bits.ue(); // id
  let chroma = CHROMA_420;
  let separatePlanes = false;
  let bitDepth = 8;
  if (H264_HIGH_PROFILES.includes(profile)) {
    chroma = bits.ue();
    if (chroma === CHROMA_444) separatePlanes = bits.flag();
    bitDepth += bits.ue();
    bits.ue(); // bit depth chroma
    bits.skip(1); // transform bypass
    if (bits.flag()) skipScalingLists(bits, chroma === CHROMA_444 ? 12 : 8);
  }
  bits.ue(); // log2 max frame number
  const pocType = bits.ue();
  if (pocType === 0) bits.ue();
  else if (pocType === 1) {
    bits.skip(1);
    bits.se();
    bits.se();
    const cycle = bits.ue();
    if (cycle > POC_CYCLE_MAX) return null;
    for (let i = 0; i < cycle; i++) bits.se();
  }
  bits.ue(); // reference frames
  bits.skip(1); // gaps allowed
  const widthMbs = bits.ue() + 1;
  const heightUnits = bits.ue() + 1;
  const frameMbsOnly = bits.flag();
  if (!frameMbsOnly) bits.skip(1);
  bits.skip(1); // direct 8x8
  const fields = frameMbsOnly ? 1 : 2;
  const unit = cropUnit(separatePlanes ? 0 : chroma);
  const size = cropped(
    bits,
    { width: widthMbs * 16, height: heightUnits * 16 * fields },
    { width: unit.width, height: unit.height * fields },
  );
  return size && { ...size, bitDepth };
}

/** The conformance window or frame cropping: a flag and left, right, top, bottom in units. */
function cropped(bits: BitReader, size: Size, unit: Size): Size | null {
  let { width, height } = size;
  if (bits.flag()) {
    width -= (bits.ue() + bits.ue()) * unit.width;
    height -= (bits.ue() + bits.ue()) * unit.height;
  }
  return bits.overrun ? null : { width, height };
}

/** Luma samples per chroma sample, the unit of cropping. */
function cropUnit(chroma: number): Size {
  return {
    width: chroma === CHROMA_420 || chroma === CHROMA_422 ? 2 : 1,
    height: chroma === CHROMA_420 ? 2 : 1,
  };
}

function skipScalingLists(bits: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (!bits.flag()) continue;
    let last = 8;
    for (let i = list < 6 ? 16 : 64; i > 0 && !bits.overrun; i--) {
      last = (last + bits.se()) & 255;
      if (last === 0) break;
    }
  }
}

/** The first SPS of an hvcC: 22 bytes, array count; arrays of type, u16 count, (u16 length, NAL). */
function firstHevcSps(record: Uint8Array): Uint8Array | null {
  let at = 23;
  for (let arrays = record[22] ?? 0; arrays > 0 && at + 3 <= record.length; arrays--) {
    const type = record[at] & 63;
    let count = (record[at + 1] << 8) | record[at + 2];
    at += 3;
    for (; count > 0 && at + 2 <= record.length; count--) {
      const length = (record[at] << 8) | record[at + 1];
      at += 2;
      if (at + length > record.length) return null;
      if (type === HEVC_SPS) return record.subarray(at, at + length);
      at += length;
    }
  }
  return null;
}

/** Of an SPS without the bytes that keep start codes out. */
function readHevcSps(nal: Uint8Array): SpsFigures | null {
  const bits = new BitReader(nal);
  bits.skip(16 + 4); // NAL header, VPS id
  const subLayers = bits.bits(3);
  bits.skip(1 + 88 + 8); // nesting, general profile, general level
  let subLayerBits = 0;
  for (let i = 0; i < subLayers; i++) {
    if (bits.flag()) subLayerBits += 88;
    if (bits.flag()) subLayerBits += 8;
  }
  if (subLayers > 0) bits.skip((8 - subLayers) * 2);
  bits.skip(subLayerBits);
  bits.ue(); // SPS id
  const chroma = bits.ue();
  const separatePlanes = chroma === CHROMA_444 && bits.flag();
  const width = bits.ue();
  const height = bits.ue();
  const size = cropped(bits, { width, height }, cropUnit(separatePlanes ? 0 : chroma));
  const bitDepth = 8 + bits.ue();
  return size === null || bits.overrun ? null : { ...size, bitDepth };
}

/** Walks OBUs to the sequence header: header (1), extension (1), size in leb128, payload. */
function av1SequenceHeader(obus: Uint8Array): Uint8Array | null {
  let at = 0;
  while (at < obus.length) {
    const header = obus[at++];
    if ((header & 4) !== 0) at++;
    let size = obus.length - at;
    if ((header & 2) !== 0) {
      size = 0;
      for (let shift = 0; shift < 28; shift += 7) {
        const byte = obus[at++] ?? 0;
        size |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    if (size > obus.length - at) return null;
    if (((header >> 3) & 15) === AV1_SEQUENCE_HEADER) {
      return obus.subarray(at, at + size);
    }
    at += size;
  }
  return null;
}

interface Av1Sequence extends Size {
  readonly profile: number;
  /** Of the first operating point, the one with all layers. */
  readonly level: number;
}

function readAv1Sequence(obu: Uint8Array): Av1Sequence | null {
  const bits = new BitReader(obu);
  const profile = bits.bits(3);
  bits.skip(1); // still picture
  const isReduced = bits.flag();
  const level = isReduced ? bits.bits(5) : readAv1OperatingPoints(bits);
  const widthBits = bits.bits(4) + 1;
  const heightBits = bits.bits(4) + 1;
  const width = bits.bits(widthBits) + 1;
  const height = bits.bits(heightBits) + 1;
  return bits.overrun ? null : { width, height, profile, level };
}

/** The level of the first operating point; reads them all. */
function readAv1OperatingPoints(bits: BitReader): number {
  let delayBits = 0;
  let decoderModel = false;
  if (bits.flag()) { // timing info
    bits.skip(64);
    if (bits.flag()) bits.ue(); // ticks per picture: uvlc is ue(v)
    decoderModel = bits.flag();
    if (decoderModel) {
      delayBits = bits.bits(5) + 1;
      bits.skip(42);
    }
  }
  const displayDelay = bits.flag();
  let first: number | null = null;
  for (let points = bits.bits(5) + 1; points > 0; points--) {
    bits.skip(12);
    const level = bits.bits(5);
    first ??= level;
    if (level > 7) bits.skip(1); // tier
    if (decoderModel && bits.flag()) bits.skip(2 * delayBits + 1);
    if (displayDelay && bits.flag()) bits.skip(4);
  }
  return first ?? 0;
}
