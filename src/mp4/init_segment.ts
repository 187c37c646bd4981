/**
 * The beginning of a fragmented MP4: what its tracks are, and no samples (ISO/IEC 14496-12 §8.8).
 *
 *     ftyp
 *     moov
 *       mvhd
 *       trak: tkhd, mdia: mdhd, hdlr, minf: vmhd or smhd, dinf: dref, stbl: stsd, and tables without entries
 *       mvex: trex of each track
 * @module
 */

import { box, type Content, fullBox, u16, u32, zeros } from "./boxes.ts";

/** One track. */
export interface Mp4Track {
  /** From 1 on. */
  readonly id: number;
  readonly kind: "video" | "audio";
  /** Ticks per second of its times. */
  readonly timescale: number;
  /** Its box in `stsd`; see `sample_entry.ts`. */
  readonly entry: Uint8Array;
  /** Pixels; 0 for audio. */
  readonly width: number;
  readonly height: number;
}

/** What `mvhd` and `tkhd` have in common. */
const ONE = 0x10000;
const UNITY_MATRIX = [ONE, 0, 0, 0, ONE, 0, 0, 0, 0x40000000].flatMap(u32);
const FULL_VOLUME = 0x0100;
/** Enabled, in the movie, in its preview. */
const TRACK_FLAGS = 7;
/** "und": the language is not said. */
const UNDETERMINED = 0x55c4;
/** Data lies in the same file. */
const SELF_CONTAINED = 1;

/** Makes it. Its times are in 1/1000 s. */
export function initSegment(tracks: readonly Mp4Track[]): Uint8Array<ArrayBuffer> {
  const ftyp = box("ftyp", ascii("iso6"), u32(1), ascii("iso6cmfcmp41"));
  const nextId = tracks.reduce((most, { id }) => Math.max(most, id), 0) + 1;
  const mvhd = fullBox(
    "mvhd",
    0,
    0,
    ...[u32(0), u32(0), u32(1000), u32(0), u32(ONE), u16(FULL_VOLUME), zeros(10)],
    ...[UNITY_MATRIX, zeros(24), u32(nextId)],
  );
  const defaults = tracks.map(({ id }) =>
    fullBox("trex", 0, 0, u32(id), u32(1), u32(0), u32(0), u32(0))
  );
  const moov = box("moov", mvhd, ...tracks.map(trackBox), box("mvex", ...defaults));
  const segment = new Uint8Array(ftyp.length + moov.length);
  segment.set(ftyp);
  segment.set(moov, ftyp.length);
  return segment;
}

function trackBox(track: Mp4Track): Uint8Array {
  const { id, kind, timescale, entry, width, height } = track;
  const isAudio = kind === "audio";
  const tkhd = fullBox(
    "tkhd",
    0,
    TRACK_FLAGS,
    ...[u32(0), u32(0), u32(id), u32(0), u32(0), zeros(8), u16(0), u16(isAudio ? 1 : 0)],
    ...[u16(isAudio ? FULL_VOLUME : 0), u16(0), UNITY_MATRIX],
    ...[u32(width * ONE), u32(height * ONE)],
  );
  const mdhd = fullBox(
    "mdhd",
    0,
    0,
    ...[u32(0), u32(0), u32(timescale), u32(0), u16(UNDETERMINED), u16(0)],
  );
  const [handler, name] = isAudio ? ["soun", "audio\0"] : ["vide", "video\0"];
  const hdlr = fullBox("hdlr", 0, 0, u32(0), ascii(handler), zeros(12), ascii(name));
  const header = isAudio ? fullBox("smhd", 0, 0, zeros(4)) : fullBox("vmhd", 0, 1, zeros(8));
  const dref = fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, SELF_CONTAINED));
  const table = (type: string, ...fields: Content[]) => fullBox(type, 0, 0, ...fields, u32(0));
  const stbl = box(
    "stbl",
    fullBox("stsd", 0, 0, u32(1), entry),
    ...[table("stts"), table("stsc"), table("stsz", u32(0)), table("stco")],
  );
  const minf = box("minf", header, box("dinf", dref), stbl);
  return box("trak", tkhd, box("mdia", mdhd, hdlr, minf));
}

function ascii(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}
