/**
 * F32: figures out of keyframes and out of vpcC. The bytes are the beginnings of what libvpx, libx264,
 * libx265, libaom and FFmpeg's Flash encoders make of 322 x 182 pixels.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { videoInfo } from "../../src/codec/codec_info.ts";
import { frameFigures } from "../../src/codec/frame_figures.ts";
import { NO_VIDEO_FIGURES } from "../../src/codec/video_config.ts";
import { concat, hex } from "./hex.ts";

const VP9_420 = "824983420014100b560638241c184a000b905fc9";
const VP9_420_10 = "92498342000a0805ab031c120e0c2c0005685f7f";
const VP9_444 = "a2498342000282016ac0c7048383094001c25fc9";
const VP9_RGB = "a2498342e014100b560638241c184a0010605f11";
const VP9_422_10 = "b124c1a10200a0805ab031c120e0c2c0005d805f";
const VPC_420_10 = "01000000020ba20202020000";
const VPC_444 = "01000000010b860202020000";
const VP8 = "1067009d012a4201b6000007088585889984880202b305fd";
const AVC_SPS = "6742c00dda05467889b011000003000100000300320f142aa0";
const AVC_PPS = "68ce0fc8";
const AVC_RECORD = `0142c00dffe10019${AVC_SPS}010004${AVC_PPS}`;
const AVC_10_RECORD =
  "016e000dffe10019676e000da6cb40a8cf11360220000003002000000641e2855401000468ce0fc8fdfafa00";
/** VPS, SPS, PPS and the beginning of a slice, of Main 10. */
const HEVC_10 =
  "0000001840010c01ffff02200000030090000003000003003c9594090000002b4201010220000003009000" +
  "0003000003003ca00a880c1c44cd965654a4c2f0168080000003008000000c84000000064401c073c189" +
  "0000000428010203";
const AV1_10 = "0a0b000000043d06d4daf94040 32021b14";
const AV1_10_RECORD = "81004c000a0b000000043d06d4daf94040";
const H263 = "0000840080a1005b121e73e80c0070f8";
const SCREEN = "314230b6004e78dae";

const SIZE = { width: 322, height: 182 };

Deno.test("F32: VP9 keyframes of all profiles", () => {
  const cases: [string, string, number][] = [
    [VP9_420, "Profile 0", 8],
    [VP9_444, "Profile 1", 8],
    [VP9_RGB, "Profile 1", 8],
    [VP9_420_10, "Profile 2", 10],
    [VP9_422_10, "Profile 3", 10],
  ];
  for (const [frame, profile, bitDepth] of cases) {
    const expected = { profile, level: null, ...SIZE, bitDepth };
    assert.deepEqual(frameFigures(concat("91", "'vp09", frame), null), expected, profile);
    assert.deepEqual(frameFigures(concat("93", "'vp09", frame), null), expected, "CodedFramesX");
    // Behind ModEx (a nanosecond offset), and as the main track of a multitrack message.
    assert.deepEqual(frameFigures(concat("97 02 00007b 01", "'vp09", frame), null), expected);
    assert.deepEqual(frameFigures(concat("96 01", "'vp09", "00", frame), null), expected);
    assert.deepEqual(frameFigures(concat("96 01", "'vp09", "01", frame), null), NO_VIDEO_FIGURES);
    assert.deepEqual(frameFigures(concat("a1", "'vp09", frame), null), NO_VIDEO_FIGURES, "inter");
  }
});

Deno.test("F32: VP9: a frame that is no keyframe, is cut off or has no sync code tells nothing", () => {
  const figures = (frame: Uint8Array) => frameFigures(concat("91", "'vp09", frame), null);
  const frame = hex(VP9_420);
  // 36 bits before the size and 32 of it.
  for (let end = 0; end < 9; end++) {
    assert.deepEqual(figures(frame.slice(0, end)), NO_VIDEO_FIGURES);
  }
  assert.equal(figures(frame.slice(0, 9)).width, 322);
  // Frame marker, "shows an existing frame", "is an inter frame", sync code.
  for (const [at, bit] of [[0, 0x40], [0, 8], [0, 4], [1, 1], [3, 0x80]]) {
    const changed = frame.slice();
    changed[at] ^= bit;
    assert.deepEqual(figures(changed), NO_VIDEO_FIGURES, `byte ${at}, bit ${bit}`);
  }
});

Deno.test("F32: vpcC with and without version and flags; what it lacks comes from the keyframe", () => {
  const cases: [string, string, string, number][] = [
    [VPC_420_10, "Profile 2", "1.1", 10],
    [VPC_420_10.slice(8), "Profile 2", "1.1", 10],
    [VPC_444, "Profile 1", "1.1", 8],
    ["00000000 00 3e c0", "Profile 0", "6.2", 12],
    ["07 07 70 00 00 00 0000", "Other", "Other", 0],
  ];
  for (const [record, profile, level, depth] of cases) {
    const bit_depth = depth === 0 ? null : depth;
    const size = { width: null, height: null };
    const expected = { codec: "VP9", profile, level, ...size, bit_depth };
    const header = concat("90", "'vp09", record);
    assert.deepEqual(videoInfo(header), expected, record);
    const frame = frameFigures(concat("91", "'vp09", VP9_420_10), header);
    assert.deepEqual(videoInfo(header, frame), {
      ...expected,
      ...SIZE,
      bit_depth: bit_depth ?? 10,
    });
  }
  const nothing = { profile: null, level: null, width: null, height: null, bit_depth: null };
  for (const cut of ["01", "01000000", "01000000 02 0b", "02 0b"]) {
    assert.deepEqual(videoInfo(concat("90", "'vp09", cut)), { codec: "VP9", ...nothing }, cut);
  }
});

Deno.test("F32: VP8, whose scaling bits are no part of the size", () => {
  const message = concat("91", "'vp08", VP8);
  const expected = { profile: "Profile 0", level: null, ...SIZE, bitDepth: 8 };
  assert.deepEqual(frameFigures(message, null), expected);
  message[5 + 7] |= 0x80;
  message[5 + 9] |= 0xc0;
  assert.deepEqual(frameFigures(message, null), expected);
  message[5 + 3] = 0;
  assert.deepEqual(frameFigures(message, null), NO_VIDEO_FIGURES, "no start code");
});

Deno.test("F32: H.264 and HEVC: a parameter set in a keyframe takes the place of the record's", () => {
  const record = concat("17 00 000000", AVC_RECORD);
  const before = videoInfo(record);
  assert.deepEqual([before?.width, before?.height, before?.level], [322, 182, "1.3"]);
  // 636 x 358, level 2.2, behind an access unit delimiter and SEI.
  const sps = hex("6742c016d900a02fee6c0440000003004000000503c58b92");
  const units = [hex("09f0"), hex("0605ff80"), sps, hex(AVC_PPS), hex("6588840a")];
  for (const size of [1, 2, 4]) {
    const header = record.slice();
    header[5 + 4] = 0xfc | (size - 1);
    const cut = (unit: Uint8Array) => {
      const length = new Uint8Array(size);
      length[size - 1] = unit.length;
      return concat(length, unit);
    };
    const body = concat(...units.map(cut));
    for (const head of ["17 01 000000", "91 61766331 000000", "93 61766331"]) {
      const figures = frameFigures(concat(head, body), header);
      const expected = { profile: "Baseline", level: "2.2", width: 636, height: 358, bitDepth: 8 };
      assert.deepEqual(figures, expected, `${head}, lengths of ${size} bytes`);
      const told = videoInfo(header, figures);
      assert.deepEqual([told?.level, told?.width, told?.height], ["2.2", 636, 358]);
    }
    // Behind a slice there is none that is meant for it; without any the record's figures remain.
    const late = concat(...[units[4], units[2]].map(cut));
    assert.deepEqual(frameFigures(concat("17 01 000000", late), header), NO_VIDEO_FIGURES);
  }
  // One that is longer than the message is not read.
  const broken = concat("17 01 000000 00000040", AVC_SPS);
  assert.deepEqual(frameFigures(broken, null), NO_VIDEO_FIGURES);
  const high10 = videoInfo(concat("17 00 000000", AVC_10_RECORD));
  assert.deepEqual([high10?.profile, high10?.width, high10?.bit_depth], ["High(10)", 322, 10]);
  const hevc = { profile: "Main10", level: "2", ...SIZE, bitDepth: 10 };
  assert.deepEqual(frameFigures(concat("91", "'hvc1", "000000", HEVC_10), null), hevc);
  assert.deepEqual(frameFigures(concat("93", "'hvc1", HEVC_10), null), hevc);
  assert.deepEqual(frameFigures(concat("1c 01 000000", HEVC_10), null), hevc);
});

Deno.test("F32: AV1: the sequence header in a keyframe, behind other OBUs or without", () => {
  const frame = frameFigures(concat("91", "'av01", "1200", AV1_10), null);
  assert.deepEqual(frame, { profile: "Main", level: "2.0", ...SIZE, bitDepth: null });
  const record = concat("90", "'av01", AV1_10_RECORD);
  const expected = { codec: "AV1", profile: "Main", level: "2.0", ...SIZE, bit_depth: 10 };
  assert.deepEqual(videoInfo(record, frame), expected);
  assert.deepEqual(videoInfo(record), expected);
  // Configuration without OBUs is allowed: then the size is the keyframe's.
  assert.deepEqual(videoInfo(record.slice(0, 9)), { ...expected, width: null, height: null });
  assert.deepEqual(videoInfo(record.slice(0, 9), frame), expected);
  assert.deepEqual(frameFigures(concat("91", "'av01", "32021b14"), null), NO_VIDEO_FIGURES);
  // The short header of a still picture: one level, without operating points.
  const still = frameFigures(concat("91", "'av01", "0a05 1a21e836a0"), null);
  assert.deepEqual(still, { profile: "Main", level: "4.0", ...SIZE, bitDepth: null });
});

Deno.test("F32: H.263 and Screen Video, which have no configuration", () => {
  const size = { ...NO_VIDEO_FIGURES, ...SIZE };
  assert.deepEqual(frameFigures(concat("12", H263), null), size);
  assert.deepEqual(frameFigures(concat("22", H263), null), NO_VIDEO_FIGURES);
  assert.deepEqual(frameFigures(concat("13", SCREEN), null), size);
  assert.deepEqual(frameFigures(concat("13 3142"), null), NO_VIDEO_FIGURES);
  assert.deepEqual(frameFigures(concat("12", H263).slice(0, 7), null), NO_VIDEO_FIGURES);
  // Sizes in bytes, and by number.
  const small = { ...NO_VIDEO_FIGURES, width: 160, height: 120 };
  assert.deepEqual(frameFigures(hex("12 00008400 50 3c 00"), null), small);
  const sizes = [[2, 352, 288], [3, 176, 144], [4, 128, 96], [5, 320, 240], [6, 160, 120]];
  for (const [number, width, height] of sizes) {
    const bytes = hex("12 0000840000");
    // The number's three bits stand behind 30 others.
    bytes[1 + 3] |= number >> 1;
    bytes[1 + 4] |= (number & 1) << 7;
    assert.deepEqual(frameFigures(bytes, null), { ...NO_VIDEO_FIGURES, width, height });
  }
  assert.deepEqual(frameFigures(hex("12 0000840380"), null), NO_VIDEO_FIGURES, "no such number");
});

Deno.test("F32, H15: keyframes cut or changed anywhere never throw, and tell nothing absurd", () => {
  const messages = [
    concat("91", "'vp09", VP9_420),
    concat("91", "'vp09", VP9_422_10),
    concat("91", "'vp08", VP8),
    concat("91", "'av01", AV1_10),
    concat("91", "'hvc1", "000000", HEVC_10),
    concat("17 01 000000 00000019", AVC_SPS, "00000004", AVC_PPS),
    concat("12", H263),
    concat("13", SCREEN),
    concat("97 02 00007b 01", "'vp09", VP9_420),
    concat("96 21", "'vp09", "00 000014", VP9_420),
    concat("90", "'vp09", VPC_420_10),
  ];
  const headers = [
    null,
    new Uint8Array(0),
    concat("17 00 000000", AVC_RECORD),
    hex("17 00 00 00 00 01"),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...messages),
      fc.constantFrom(...headers),
      fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 4 }),
      fc.nat(120),
      (message, header, changes, end) => {
        const payload = message.slice(0, end);
        for (const [at, value] of changes) if (at < payload.length) payload[at] = value;
        const figures = frameFigures(payload, header);
        const { width, height, bitDepth } = figures;
        assert.equal(width === null, height === null);
        assert.ok(width === null || (width > 0 && width <= 16888));
        assert.ok(height === null || (height > 0 && height <= 16888));
        assert.ok(bitDepth === null || (bitDepth >= 8 && bitDepth <= 16));
        videoInfo(payload, figures);
      },
    ),
    { numRuns: 5000 },
  );
});
