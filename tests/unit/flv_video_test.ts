/**
 * Video message headers, legacy and Enhanced RTMP.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { fourCc, FrameFlag } from "../../src/codec/ex_header.ts";
import {
  VideoCodec,
  videoCodec,
  videoConfigOffset,
  videoFlags,
  videoTrackId,
} from "../../src/codec/video_header.ts";
import { concat, hex } from "./hex.ts";

const { KEYFRAME, SEQUENCE_HEADER, END_OF_SEQUENCE, METADATA, COMMAND, MULTITRACK, SIDE_TRACK } =
  FrameFlag;

/** Payload, flags, codec. */
const TABLE: [string, Uint8Array, number, number][] = [
  ["H.264 keyframe", hex("17 01 000000 00"), KEYFRAME, VideoCodec.H264],
  ["H.264 inter frame", hex("27 01 000000 00"), 0, VideoCodec.H264],
  ["H.264 sequence header", hex("17 00 000000 01"), SEQUENCE_HEADER, VideoCodec.H264],
  [
    "H.264 sequence header not marked key",
    hex("27 00 000000 01"),
    SEQUENCE_HEADER,
    VideoCodec.H264,
  ],
  ["H.264 end of sequence", hex("17 02 000000"), END_OF_SEQUENCE, VideoCodec.H264],
  ["H.264 unknown packet type", hex("17 09 000000"), 0, VideoCodec.H264],
  ["Q46 negative composition time", hex("17 01 ffffd8 00"), KEYFRAME, VideoCodec.H264],
  ["Q47 HEVC as codec 12, header", hex("1c 00 000000 01"), SEQUENCE_HEADER, VideoCodec.HEVC],
  ["Q47 HEVC as codec 12, keyframe", hex("1c 01 000000 01"), KEYFRAME, VideoCodec.HEVC],
  ["Q47 HEVC as hvc1, header", concat("90", "'hvc1", "01"), SEQUENCE_HEADER, VideoCodec.HEVC],
  ["AV1 as codec 13, header", hex("1d 00 000000 81"), SEQUENCE_HEADER, VideoCodec.AV1],
  ["H.263 keyframe", hex("12 00"), KEYFRAME, VideoCodec.H263],
  ["H.263 inter frame", hex("22 00"), 0, VideoCodec.H263],
  ["VP6 keyframe", hex("14 00"), KEYFRAME, VideoCodec.VP6],
  ["info frame", hex("57 00"), COMMAND, VideoCodec.H264],
  ["hvc1 CodedFrames key", concat("91", "'hvc1", "000000 00"), KEYFRAME, VideoCodec.HEVC],
  ["hvc1 CodedFramesX inter", concat("a3", "'hvc1", "00"), 0, VideoCodec.HEVC],
  ["avc1 CodedFramesX key", concat("93", "'avc1", "00"), KEYFRAME, VideoCodec.H264],
  ["av01 MPEG2TSSequenceStart", concat("95", "'av01", "80"), SEQUENCE_HEADER, VideoCodec.AV1],
  ["vp09 SequenceEnd", concat("92", "'vp09"), END_OF_SEQUENCE, VideoCodec.VP9],
  ["Metadata is no keyframe (0x94)", concat("94", "'av01", "02 00"), METADATA, VideoCodec.AV1],
  ["Metadata with command frame type", concat("d4", "'hvc1", "02 00"), METADATA, VideoCodec.HEVC],
  ["enhanced command", hex("d1 00"), COMMAND, VideoCodec.NONE],
  ["H14 unknown FourCC", concat("91", "'zzzz", "00"), KEYFRAME, fourCc("zzzz")],
  [
    "Q60 one track, id 0",
    concat("96 00", "'avc1", "00 01"),
    MULTITRACK | SEQUENCE_HEADER,
    VideoCodec.H264,
  ],
  [
    "Q60 one track, id 1",
    concat("96 01", "'avc1", "01 00"),
    MULTITRACK | SIDE_TRACK | KEYFRAME,
    VideoCodec.H264,
  ],
  [
    "Q60 many tracks",
    concat("96 13", "'hvc1", "00 000001 ff 01 000001 ff"),
    MULTITRACK | KEYFRAME,
    VideoCodec.HEVC,
  ],
  [
    "Q60 many tracks, many codecs",
    concat("a6 21", "'vp09", "02 000001 ff", "'avc1", "00 000001 ff"),
    MULTITRACK | SIDE_TRACK,
    VideoCodec.VP9,
  ],
  ["ModEx before CodedFrames", concat("97 02 000001 01", "'hvc1", "00"), KEYFRAME, VideoCodec.HEVC],
  [
    "ModEx twice before SequenceStart",
    concat("97 02 000001 07 00 ff 00", "'hvc1", "01"),
    SEQUENCE_HEADER,
    VideoCodec.HEVC,
  ],
  [
    "H14 ModEx with a 16-bit size",
    concat("97 ff 00ff", new Uint8Array(256), "01", "'hvc1", "00"),
    KEYFRAME,
    VideoCodec.HEVC,
  ],
  ["ModEx before a command", hex("d7 00 ff 01 00"), COMMAND, VideoCodec.NONE],
];

for (const [what, payload, flags, codec] of TABLE) {
  Deno.test(`video header: ${what}`, () => {
    assert.equal(videoFlags(payload), flags);
    assert.equal(videoCodec(payload), codec);
  });
}

Deno.test("video header Q42 H13: empty and one-byte messages are nothing", () => {
  assert.equal(videoFlags(new Uint8Array(0)), 0);
  assert.equal(videoCodec(new Uint8Array(0)), VideoCodec.NONE);
  assert.equal(videoFlags(hex("17")), 0);
  assert.equal(videoFlags(hex("90")), 0);
});

Deno.test("video header: a sequence header without a record does not count", () => {
  assert.equal(videoFlags(hex("17 00 000000")), 0);
  assert.equal(videoFlags(concat("90", "'hvc1")), 0);
  assert.equal(videoFlags(concat("96 10", "'hvc1", "00 000000")), MULTITRACK);
});

Deno.test("video header H14: nested multitrack, ModEx loops and cut headers are nothing", () => {
  const broken = [
    concat("96 06", "'avc1", "00 00"),
    concat("96 07", "'avc1", "00 00"),
    concat("96 31", "'avc1", "00 00"),
    concat("96 00", "'avc1"),
    hex("96"),
    hex("97 ff"),
    hex("97 ff ffff 00"),
    hex("97 00 00"),
    concat("97", ...Array<string>(100).fill("00 00 07"), "01", "'hvc1", "00"),
    concat("91", "'hvc"),
  ];
  for (const payload of broken) {
    assert.equal(videoFlags(payload), 0);
    assert.equal(videoConfigOffset(payload), -1);
  }
});

Deno.test("video header: track id and place of the configuration record", () => {
  assert.equal(videoTrackId(hex("17 01 000000 00")), 0);
  assert.equal(videoTrackId(concat("96 01", "'avc1", "03 00")), 3);
  assert.equal(videoTrackId(concat("96")), 0);
  assert.equal(videoConfigOffset(hex("17 00 000000 01")), 5);
  assert.equal(videoConfigOffset(concat("90", "'hvc1", "01")), 5);
  assert.equal(videoConfigOffset(concat("96 00", "'hvc1", "00 01")), 7);
  assert.equal(videoConfigOffset(concat("96 10", "'hvc1", "00 000001 01")), 10);
  assert.equal(videoConfigOffset(concat("96 20", "'hvc1", "00 000001 01")), 10);
  assert.equal(videoConfigOffset(concat("97 00 00 00", "'hvc1", "01")), 8);
  assert.equal(videoConfigOffset(hex("17 01 000000 01")), -1);
});

Deno.test("video header H14: arbitrary bytes never throw, and a record lies inside its message", () => {
  const first = fc.oneof(fc.constantFrom(0x90, 0x91, 0x96, 0x97, 0xd7, 0x17, 0x1c), fc.nat(255));
  const bytes = fc.tuple(first, fc.array(fc.oneof(fc.nat(8), fc.nat(255)), { maxLength: 30 }))
    .map(([head, rest]) => Uint8Array.from([head, ...rest]));
  fc.assert(
    fc.property(bytes, (payload) => {
      const flags = videoFlags(payload);
      videoCodec(payload);
      videoTrackId(payload);
      assert.ok(videoConfigOffset(payload) < payload.length);
      const exclusive = KEYFRAME | SEQUENCE_HEADER | END_OF_SEQUENCE | METADATA | COMMAND;
      const set = flags & exclusive;
      assert.equal(set & (set - 1), 0, "at most one kind");
    }),
    { numRuns: 3000 },
  );
});
