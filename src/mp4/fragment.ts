/**
 * A fragment of an MP4: some samples of each track, in one piece (ISO/IEC 14496-12 §8.8).
 *
 *     moof: mfhd, of each track traf: tfhd, tfdt, trun
 *     mdat: the samples of one track after those of the other
 * @module
 */

import { BOX_HEADER_BYTES, writeBoxHeader, writeU32, writeU64 } from "./boxes.ts";

/** One picture, or one audio frame. Times are in the track's ticks. */
export interface Sample {
  readonly data: Uint8Array;
  readonly duration: number;
  /** By how much a picture is shown after it is decoded; may be below 0. */
  readonly composition: number;
  /** Decoding can start here. */
  readonly isSync: boolean;
}

/** Samples of one track. */
export interface TrackRun {
  readonly trackId: number;
  /** When the first one is decoded. */
  readonly baseTime: number;
  readonly samples: readonly Sample[];
}

const FULL_BOX_BYTES = BOX_HEADER_BYTES + 4;
const MFHD_BYTES = FULL_BOX_BYTES + 4;
const TFHD_BYTES = FULL_BOX_BYTES + 4;
const TFDT_BYTES = FULL_BOX_BYTES + 8;
/** Count and offset; then of each sample duration, size, flags, composition. */
const TRUN_BYTES = FULL_BOX_BYTES + 8;
const TRUN_SAMPLE_BYTES = 16;

/** Offsets count from the beginning of `moof`. */
const DEFAULT_BASE_IS_MOOF = 0x020000;
/** `tfdt` with 64 bits; `trun` with signed composition times. */
const VERSION_1 = 0x01000000;
/** The data's offset, and of each sample duration, size, flags and composition time. */
const TRUN_FLAGS = 0xf01;
/** `sample_depends_on`: on none, or on others (and then it is no sync sample). */
const SYNC_SAMPLE = 0x02000000;
const OTHER_SAMPLE = 0x01010000;

/** Makes it. `sequence`: from 1 on, one more for each fragment. Runs without samples are left out. */
export function fragment(
  sequence: number,
  all: readonly TrackRun[],
): Uint8Array<ArrayBuffer> {
  const runs = all.filter(({ samples }) => samples.length > 0);
  const moofSize = BOX_HEADER_BYTES + MFHD_BYTES +
    runs.reduce((sum, { samples }) => sum + trafSize(samples.length), 0);
  const dataSize = runs.reduce((sum, { samples }) => sum + bytesOf(samples), 0);
  const target = new Uint8Array(moofSize + BOX_HEADER_BYTES + dataSize);
  let at = writeBoxHeader(target, 0, moofSize, "moof");
  at = writeBoxHeader(target, at, MFHD_BYTES, "mfhd");
  at = writeU32(target, writeU32(target, at, 0), sequence);
  let data = moofSize + BOX_HEADER_BYTES;
  for (const run of runs) {
    at = writeTraf(target, at, run, data);
    data += bytesOf(run.samples);
  }
  at = writeBoxHeader(target, at, BOX_HEADER_BYTES + dataSize, "mdat");
  for (const { samples } of runs) {
    for (const { data } of samples) {
      target.set(data, at);
      at += data.length;
    }
  }
  return target;
}

function trafSize(samples: number): number {
  return BOX_HEADER_BYTES + TFHD_BYTES + TFDT_BYTES + TRUN_BYTES + TRUN_SAMPLE_BYTES * samples;
}

function bytesOf(samples: readonly Sample[]): number {
  return samples.reduce((sum, { data }) => sum + data.length, 0);
}

/** `offset`: of the run's data from the beginning of `moof`. */
function writeTraf(target: Uint8Array, at: number, run: TrackRun, offset: number): number {
  const { trackId, baseTime, samples } = run;
  at = writeBoxHeader(target, at, trafSize(samples.length), "traf");
  at = writeBoxHeader(target, at, TFHD_BYTES, "tfhd");
  at = writeU32(target, writeU32(target, at, DEFAULT_BASE_IS_MOOF), trackId);
  at = writeBoxHeader(target, at, TFDT_BYTES, "tfdt");
  at = writeU64(target, writeU32(target, at, VERSION_1), baseTime);
  at = writeBoxHeader(target, at, TRUN_BYTES + TRUN_SAMPLE_BYTES * samples.length, "trun");
  at = writeU32(target, at, VERSION_1 | TRUN_FLAGS);
  at = writeU32(target, writeU32(target, at, samples.length), offset);
  for (const { data, duration, composition, isSync } of samples) {
    at = writeU32(target, at, duration);
    at = writeU32(target, at, data.length);
    at = writeU32(target, at, isSync ? SYNC_SAMPLE : OTHER_SAMPLE);
    at = writeU32(target, at, composition);
  }
  return at;
}
