/**
 * How many samples an audio frame has: RTMP's times are in ms, too coarse for AAC, whose frames last 23.22
 * ms at 44.1 kHz.
 * @module
 */

import { AudioCodec } from "./audio_header.ts";
import { aacCore, mp3Figures, opusFigures } from "./audio_config.ts";

/** How an audio track counts its time. */
export interface AudioClock {
  /** Samples per second. */
  readonly rate: number;
  readonly channels: number;
  /** Samples of this frame; 0: it does not say. */
  samplesOf(frame: Uint8Array): number;
}

/** Layer III: 1152 samples with MPEG-1, half of them with its extensions to lower rates. */
const MP3_SAMPLES = 1152;
const MPEG1_MIN_RATE = 32_000;

/**
 * The clock of an audio track; `config`: of its sequence header, for MP3 the first frame. Null: the codec
 * is another one, or the configuration cannot be read.
 */
export function audioClock(codec: number, config: Uint8Array): AudioClock | null {
  switch (codec) {
    case AudioCodec.AAC: {
      const core = aacCore(config);
      return core && { ...core, samplesOf: () => core.samples };
    }
    case AudioCodec.MP3: {
      const { sampleRate, channels } = mp3Figures(config);
      if (sampleRate === null || channels === null) return null;
      const samples = sampleRate >= MPEG1_MIN_RATE ? MP3_SAMPLES : MP3_SAMPLES / 2;
      return { rate: sampleRate, channels, samplesOf: () => samples };
    }
    case AudioCodec.OPUS: {
      const { sampleRate, channels } = opusFigures(config);
      if (sampleRate === null || channels === null) return null;
      return { rate: sampleRate, channels, samplesOf: opusSamples };
    }
    default:
      return null;
  }
}

/** Durations of Opus frames by the configuration's number (RFC 6716 §3.1), in samples at 48 kHz. */
const SILK_SAMPLES = [480, 960, 1920, 2880];
const HYBRID_SAMPLES = [480, 960];
const CELT_SAMPLES = [120, 240, 480, 960];
const FIRST_HYBRID = 12;
const FIRST_CELT = 16;

/** Samples of an Opus packet, from its first byte or two. */
function opusSamples(packet: Uint8Array): number {
  if (packet.length === 0) return 0;
  const config = packet[0] >> 3;
  const each = config < FIRST_HYBRID
    ? SILK_SAMPLES[config & 3]
    : config < FIRST_CELT
    ? HYBRID_SAMPLES[config & 1]
    : CELT_SAMPLES[config & 3];
  const code = packet[0] & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 0x3f;
  return each * frames;
}
