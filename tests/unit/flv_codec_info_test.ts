/**
 * Figures for the API out of sequence headers. The records were made with x264, x265, libaom and
 * ffmpeg's AAC encoder.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { audioInfo, videoInfo } from "../../src/codec/codec_info.ts";
import { BitReader, unescapeNal } from "../../src/codec/bit_reader.ts";
import { concat, hex, toHex } from "./hex.ts";

const AVC_BASELINE_636 =
  "0142c016ffe100186742c016d900a02fee6c0440000003004000000503c58b9201000568cb83cb20";
const AVC_HIGH_1080 =
  "01640029ffe1001b67640029acd940780227e5c044000003000400000300503c60c65801000668ebe3cb22c0fdf8f800";
const AVC_INTERLACED_1080 =
  "01640028ffe1001b67640028acd94078044fde022000000300200000030283e2c5b2c001000668fba3cb22c0fdf8f800";
const AVC_444_320 =
  "01f4000cffe1001967f4000c919b28283f6022000003000200000300281e28532c01000668ebe3c44844fff8f800";
const HVC_1280_718 = "0101600000009000000000005df000fcfdf8f800000f03" +
  "200001001840010c01ffff01600000030090000003000003005d959809" +
  "210001002c42010101600000030090000003000003005da00280802d1f596566924caf0168080000030008000003005040" +
  "22000100074401c172b46240";
const AV1_640 = "812100000a0d2000000cc4ff6736be48086801";

Deno.test("video info: H.264 profile, level and size with cropping", () => {
  const cases: [string, string, string, number, number][] = [
    [AVC_BASELINE_636, "Baseline", "2.2", 636, 358],
    [AVC_HIGH_1080, "High", "4.1", 1920, 1080],
    [AVC_INTERLACED_1080, "High", "4", 1920, 1080],
    [AVC_444_320, "High(444+Predictive)", "1.2", 320, 240],
  ];
  for (const [record, profile, level, width, height] of cases) {
    const expected = { codec: "H264", profile, level, width, height, bit_depth: 8 };
    assert.deepEqual(videoInfo(concat("17 00 000000", record)), expected);
    assert.deepEqual(videoInfo(concat("90", "'avc1", record)), expected);
  }
});

Deno.test("video info Q47: HEVC, legacy and enhanced", () => {
  const size = { width: 1280, height: 718 };
  const expected = { codec: "HEVC", profile: "Main", level: "3.1", ...size, bit_depth: 8 };
  assert.deepEqual(videoInfo(concat("1c 00 000000", HVC_1280_718)), expected);
  assert.deepEqual(videoInfo(concat("90", "'hvc1", HVC_1280_718)), expected);
});

Deno.test("video info: AV1, also in the first track of several", () => {
  const size = { width: 640, height: 360 };
  const expected = { codec: "AV1", profile: "High", level: "2.1", ...size, bit_depth: 8 };
  assert.deepEqual(videoInfo(concat("90", "'av01", AV1_640)), expected);
  assert.deepEqual(videoInfo(concat("96 10", "'av01", "00 000013", AV1_640)), expected);
});

Deno.test("video info: other messages tell the codec only", () => {
  const nothing = { profile: null, level: null, width: null, height: null, bit_depth: null };
  assert.deepEqual(videoInfo(hex("17 01 000000 00")), { codec: "H264", ...nothing });
  assert.deepEqual(videoInfo(hex("12 00")), { codec: "H263", ...nothing });
  assert.deepEqual(videoInfo(concat("90", "'zzzz", "00")), { codec: "Other", ...nothing });
  assert.equal(videoInfo(hex("")), null);
  assert.equal(videoInfo(hex("d1 00")), null);
});

Deno.test("video info Q45: reserved bits of avcC are not looked at", () => {
  const record = hex(AVC_BASELINE_636);
  record[4] &= 3;
  record[5] &= 31;
  assert.equal(videoInfo(concat("17 00 000000", record))?.width, 636);
});

Deno.test("video info H15: an absurd size, no SPS, an unknown profile and level", () => {
  // Baseline SPS of 512 x 512 macroblocks, 8192 x 8192: more than any level allows.
  const bits = "01000010 00000000 00011110 1 1 1 1 1 0 " + "000000000" + "1000000000 " +
    "000000000" +
    "1000000000 " + "1 1 0 0 1";
  const packed = bits.replaceAll(" ", "").match(/.{1,8}/g) ?? [];
  const sps = Uint8Array.from(packed.map((byte) => parseInt(byte.padEnd(8, "0"), 2)));
  const huge = concat("0142001effe100", Uint8Array.of(sps.length + 1), "67", sps, "00");
  assert.deepEqual(videoInfo(concat("17 00 000000", huge)), {
    codec: "H264",
    profile: "Baseline",
    level: "3",
    width: null,
    height: null,
    bit_depth: 8,
  });
  const none = videoInfo(hex("17 00 000000 01 07 00 07 ff e0 00"));
  assert.deepEqual(none, {
    codec: "H264",
    profile: "Other",
    level: "Other",
    width: null,
    height: null,
    bit_depth: null,
  });
});

Deno.test("audio info: AAC with its real rate", () => {
  const cases: [string, number | null, number | null, string | null][] = [
    ["119056e500", 48000, 2, "LC"],
    ["1210", 44100, 2, "LC"],
    ["1408", 16000, 1, "LC"],
    ["0a10", 44100, 2, "Main"],
    ["2b920800", 44100, 2, "HE"], // explicit SBR: 22050 inside, 44100 outside
    ["131056e598", 48000, 2, "HE"], // SBR announced behind an LC configuration of 24000
    ["eb0a0800", 44100, 2, "HEv2"], // PS: one channel inside, two outside
    ["17805dc010", 48000, 2, "LC"], // rate written out
    ["11b0", 48000, 6, "LC"],
    ["1180", 48000, 2, "LC"], // channels left to the stream: FLV's bit
  ];
  for (const [config, sample_rate, channel, profile] of cases) {
    const expected = { codec: "AAC", sample_rate, channel, profile };
    assert.deepEqual(audioInfo(concat("af 00", config)), expected, config);
  }
  assert.equal(audioInfo(concat("90", "'mp4a", "1190"))?.sample_rate, 48000);
});

Deno.test("audio info: codecs without a sequence header go by the message header", () => {
  const cases: [string, string, number, number][] = [
    ["2e fffb54c4", "MP3", 48000, 1], // FLV cannot say 48000, the frame can
    ["2f 0000", "MP3", 44100, 2],
    ["e2 0000", "MP3", 8000, 1],
    ["72 00", "G711A", 8000, 1],
    ["83 00", "G711U", 8000, 2],
    ["b2 00", "Speex", 16000, 1],
    ["df 00", "Opus", 48000, 2],
    ["17 00", "Other", 11025, 2],
  ];
  for (const [payload, codec, sample_rate, channel] of cases) {
    assert.deepEqual(audioInfo(hex(payload)), { codec, sample_rate, channel, profile: null });
  }
});

Deno.test("audio info: Opus and FLAC headers", () => {
  const opus = concat("90", "'Opus", "'OpusHead", "01 02 3801 80bb0000 0000 00");
  assert.deepEqual(audioInfo(opus), {
    codec: "Opus",
    sample_rate: 48000,
    channel: 2,
    profile: null,
  });
  const flac = concat("90", "'fLaC", "'fLaC", "80000022", "1000 1000 000000 000000 0bb802f0");
  assert.deepEqual(audioInfo(flac), {
    codec: "FLAC",
    sample_rate: 48000,
    channel: 2,
    profile: null,
  });
});

Deno.test("audio info H15: what is broken has no figures", () => {
  const nothing = { sample_rate: null, profile: null };
  assert.deepEqual(audioInfo(hex("af 01 21")), { codec: "AAC", channel: null, ...nothing });
  assert.deepEqual(audioInfo(hex("af 00 00")), { codec: "AAC", channel: 2, ...nothing });
  assert.equal(audioInfo(hex("af 00 17ffffff 90"))?.sample_rate, null);
  assert.equal(audioInfo(hex("")), null);
});

Deno.test("codec info H15: records cut or changed anywhere never throw", () => {
  const heads = ["17 00 000000", "1c 00 000000", "1d 00 000000", "af 00"];
  const records = [AVC_BASELINE_636, AVC_HIGH_1080, HVC_1280_718, AV1_640, "2b920800", ""];
  const change = fc.tuple(fc.nat(200), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...heads),
      fc.constantFrom(...records),
      fc.array(change, { maxLength: 4 }),
      fc.nat(220),
      (head, record, changes, end) => {
        const payload = concat(head, record).slice(0, end);
        for (const [at, value] of changes) {
          if (at < payload.length && at > 1) payload[at] = value;
        }
        const video = videoInfo(payload);
        const width = video?.width ?? 1;
        assert.ok(width > 0 && width <= 16888);
        audioInfo(payload);
      },
    ),
    { numRuns: 3000 },
  );
});

Deno.test("bit reader: exp-Golomb codes, and zeros past the end", () => {
  const bits = new BitReader(hex("a6 42 98 e2 04 8a")); // 1 010 011 00100 00101 00110 00111 0001000 1001
  const got = Array.from({ length: 8 }, () => bits.ue());
  assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7]);
  const signed = new BitReader(hex("a6 42 98"));
  assert.deepEqual([signed.se(), signed.se(), signed.se(), signed.se()], [0, 1, -1, 2]);
  const empty = new BitReader(new Uint8Array(20));
  assert.equal(empty.ue(), 0);
  assert.equal(empty.overrun, true);
});

Deno.test("unescape: removes the 03 behind two zeros and nothing else", () => {
  assert.equal(toHex(unescapeNal(hex("000003 01 03 0003 000003000003"))), "00000103000300000000");
});
