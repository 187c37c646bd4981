/**
 * ADTS: AAC frames that each say what they are (ISO/IEC 13818-7 §6.2).
 *
 *     sync (12) | MPEG-4 (1) | layer (2) | no CRC (1) | profile (2) | rate (4) | private (1) |
 *     channels (3) | 4 flags | frame length (13) | fullness (11) | blocks - 1 (2)
 * @module
 */

import { BitReader } from "./bit_reader.ts";

/** Bytes of a header. */
export const ADTS_HEADER_BYTES = 7;

/** Bytes that a frame may have, header included. */
export const ADTS_MAX_BYTES = (1 << 13) - 1;

const ESCAPED_OBJECT_TYPE = 31;
const WRITTEN_RATE = 15;
/** ADTS tells the object types 1 to 4: Main, LC, SSR, LTP. SBR and PS lie within LC. */
const LC = 2;
const MAX_OBJECT_TYPE = 4;

/** What the header says of every frame. */
export interface AdtsFields {
  /** AAC's object type less one. */
  readonly profile: number;
  /** Number of the sample rate in the standard's table. */
  readonly rate: number;
  /** Channel configuration, 0 to 7. */
  readonly channels: number;
}

/** Reads an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1); null: ADTS cannot say it. */
export function adtsFields(config: Uint8Array): AdtsFields | null {
  if (config.length < 2) return null;
  const bits = new BitReader(config);
  const type = bits.bits(5);
  if (type === ESCAPED_OBJECT_TYPE) return null;
  const rate = bits.bits(4);
  if (rate === WRITTEN_RATE) return null;
  const channels = bits.bits(4);
  if (channels > 7) return null;
  return { profile: (type >= 1 && type <= MAX_OBJECT_TYPE ? type : LC) - 1, rate, channels };
}

/** Writes the header of a frame with `length` bytes at `at`; returns the position after it. */
export function writeAdtsHeader(
  target: Uint8Array,
  at: number,
  { profile, rate, channels }: AdtsFields,
  length: number,
): number {
  const size = ADTS_HEADER_BYTES + length;
  target[at] = 0xff;
  target[at + 1] = 0xf1;
  target[at + 2] = profile << 6 | rate << 2 | channels >> 2;
  target[at + 3] = (channels & 3) << 6 | size >> 11;
  target[at + 4] = size >> 3;
  target[at + 5] = (size & 7) << 5 | 0x1f;
  target[at + 6] = 0xfc;
  return at + ADTS_HEADER_BYTES;
}
