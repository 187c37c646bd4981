/**
 * Figures from audio configuration: AudioSpecificConfig, OpusHead, FLAC STREAMINFO, MPEG audio frames.
 * For the statistics only: what cannot be read has no figures (H15).
 * @module
 */

import { MAX_RATE } from "./limits.ts";
import { BitReader } from "./bit_reader.ts";

/** What audio configuration tells. Null: not said, or not believable. */
export interface AudioFigures {
  /** Hz. */
  readonly sampleRate: number | null;
  readonly channels: number | null;
  readonly profile: string | null;
}

/** No figures at all. */
export const NO_AUDIO_FIGURES: AudioFigures = { sampleRate: null, channels: null, profile: null };

const AAC_RATES = [
  96000,
  88200,
  64000,
  48000,
  44100,
  32000,
  24000,
  22050,
  16000,
  12000,
  11025,
  8000,
  7350,
];
/** Channels by channelConfiguration; 0 is said elsewhere, 8 to 10 are reserved. */
const AAC_CHANNELS = [null, 1, 2, 3, 4, 5, 6, 8, null, null, null, 7, 8, null, 8];

const AOT_LC = 2;
const AOT_SBR = 5;
const AOT_ESCAPE = 31;
const AOT_PS = 29;
const AAC_PROFILES = new Map([[1, "Main"], [AOT_LC, "LC"], [3, "SSR"], [AOT_SBR, "HE"], [
  AOT_PS,
  "HEv2",
]]);
/** Samples of a frame, by the first bit of GASpecificConfig; channels where they are said elsewhere. */
const AAC_SAMPLES = 1024;
const AAC_SHORT_SAMPLES = 960;
const AAC_DEFAULT_CHANNELS = 2;
/** Announces SBR behind a configuration that old decoders take for plain LC. */
const SBR_SYNC = 0x2b7;

/** Opus always decodes to this rate, Hz. */
const OPUS_RATE = 48000;

/** Rates of MPEG-1 audio, Hz; MPEG-2 has half of them, MPEG-2.5 a quarter. */
const MPEG1_RATES = [44100, 48000, 32000];

/** Figures of an AAC AudioSpecificConfig: the real rate after SBR, the real channels after PS. */
export function aacFigures(config: Uint8Array): AudioFigures {
  const bits = new BitReader(config);
  let type = objectType(bits);
  let rate = sampleRate(bits);
  let channels = AAC_CHANNELS[bits.bits(4)] ?? null;
  if (bits.overrun || type === 0) return NO_AUDIO_FIGURES;
  if (type === AOT_SBR || type === AOT_PS) {
    rate = sampleRate(bits);
    if (type === AOT_PS && channels === 1) channels = 2;
  } else if (type === AOT_LC && channels !== null && bits.bits(3) === 0 && bits.left >= 17) {
    if (bits.bits(11) === SBR_SYNC && objectType(bits) === AOT_SBR && bits.flag()) {
      type = AOT_SBR;
      rate = sampleRate(bits);
    }
  }
  const believable = !bits.overrun && rate !== null && rate > 0 && rate <= MAX_RATE;
  return {
    sampleRate: believable ? rate : null,
    channels,
    profile: AAC_PROFILES.get(type) ?? "Other",
  };
}

/** What the AAC in a configuration is before SBR doubles its rate; null: it cannot be read. */
export function aacCore(
  config: Uint8Array,
): { readonly rate: number; readonly samples: number; readonly channels: number } | null {
  const bits = new BitReader(config);
  const type = objectType(bits);
  const rate = sampleRate(bits);
  const channels = AAC_CHANNELS[bits.bits(4)] ?? AAC_DEFAULT_CHANNELS;
  if (type === AOT_SBR || type === AOT_PS) {
    sampleRate(bits);
    objectType(bits);
  }
  // The first bit of GASpecificConfig.
  const samples = bits.flag() ? AAC_SHORT_SAMPLES : AAC_SAMPLES;
  if (bits.overrun || type === 0 || rate === null || rate <= 0 || rate > MAX_RATE) return null;
  return { rate, samples, channels };
}

function objectType(bits: BitReader): number {
  const type = bits.bits(5);
  return type === AOT_ESCAPE ? 32 + bits.bits(6) : type;
}

function sampleRate(bits: BitReader): number | null {
  const index = bits.bits(4);
  return index === 15 ? bits.bits(24) : AAC_RATES[index] ?? null;
}

/** Figures of an Opus identification header: "OpusHead", version (1), channels (1). */
export function opusFigures(head: Uint8Array): AudioFigures {
  if (head.length < 10 || !startsWith(head, "OpusHead")) return NO_AUDIO_FIGURES;
  return { sampleRate: OPUS_RATE, channels: head[9] === 0 ? null : head[9], profile: null };
}

/** Figures of a FLAC header: "fLaC", block header (4), STREAMINFO with rate and channels at byte 10. */
export function flacFigures(head: Uint8Array): AudioFigures {
  if (head.length < 22 || !startsWith(head, "fLaC")) return NO_AUDIO_FIGURES;
  const bits = new BitReader(head.subarray(18));
  const rate = bits.bits(20);
  return {
    sampleRate: rate > 0 && rate <= MAX_RATE ? rate : null,
    channels: bits.bits(3) + 1,
    profile: null,
  };
}

/** Figures of an MPEG audio (MP3) frame: its header tells the rate that FLV's two bits cannot. */
export function mp3Figures(frame: Uint8Array): AudioFigures {
  if (frame.length < 4 || frame[0] !== 0xff || (frame[1] & 0xe0) !== 0xe0) return NO_AUDIO_FIGURES;
  const version = (frame[1] >> 3) & 3; // 3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5
  const base = MPEG1_RATES[(frame[2] >> 2) & 3];
  if (base === undefined || version === 1) return NO_AUDIO_FIGURES;
  return {
    sampleRate: version === 3 ? base : version === 2 ? base / 2 : base / 4,
    channels: frame[3] >> 6 === 3 ? 1 : 2,
    profile: null,
  };
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (bytes[i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
