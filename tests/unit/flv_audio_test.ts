/**
 * Audio message headers, legacy and Enhanced RTMP.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AudioCodec,
  audioCodec,
  audioConfigOffset,
  audioFlags,
  audioTrackId,
} from "../../src/codec/audio_header.ts";
import { fourCc, FrameFlag, JOIN_FLAGS } from "../../src/codec/ex_header.ts";
import { concat, hex } from "./hex.ts";

const { SEQUENCE_HEADER, END_OF_SEQUENCE, MULTICHANNEL_CONFIG, MULTITRACK, SIDE_TRACK } = FrameFlag;

/** Payload, flags, codec. */
const TABLE: [string, Uint8Array, number, number][] = [
  ["AAC sequence header", hex("af 00 1190"), SEQUENCE_HEADER, AudioCodec.AAC],
  ["AAC frame", hex("af 01 21"), 0, AudioCodec.AAC],
  ["Q41 AAC sequence header without a body", hex("af 00"), 0, AudioCodec.AAC],
  ["MP3", hex("2f ff"), 0, AudioCodec.MP3],
  ["MP3 8 kHz", hex("e2 ff"), 0, AudioCodec.MP3],
  ["G.711 A-law", hex("72 00"), 0, AudioCodec.G711A],
  ["G.711 mu-law", hex("82 00"), 0, AudioCodec.G711U],
  ["Speex", hex("b2 00"), 0, AudioCodec.SPEEX],
  ["Opus as format 13", hex("df 00"), 0, AudioCodec.OPUS],
  ["PCM", hex("0f 00"), 0, AudioCodec.PCM],
  ["Opus SequenceStart", concat("90", "'OpusHead"), SEQUENCE_HEADER, AudioCodec.OPUS],
  ["mp4a SequenceStart", concat("90", "'mp4a", "1190"), SEQUENCE_HEADER, AudioCodec.AAC],
  [".mp3 CodedFrames", concat("91", "'.mp3", "ff"), 0, AudioCodec.MP3],
  ["fLaC SequenceEnd", concat("92", "'fLaC"), END_OF_SEQUENCE, AudioCodec.FLAC],
  ["MultichannelConfig", concat("94", "'ac-3", "01 06"), MULTICHANNEL_CONFIG, AudioCodec.AC3],
  [
    "Q60 one track, id 1",
    concat("95 00", "'mp4a", "01 1190"),
    MULTITRACK | SIDE_TRACK | SEQUENCE_HEADER,
    AudioCodec.AAC,
  ],
  ["Q60 many tracks", concat("95 11", "'ec-3", "00 000000"), MULTITRACK, AudioCodec.EAC3],
  ["ModEx", concat("97 02 000001 00", "'mp4a", "1190"), SEQUENCE_HEADER, AudioCodec.AAC],
  ["H14 unknown FourCC", concat("91", "'zzzz"), 0, fourCc("zzzz")],
];

for (const [what, payload, flags, codec] of TABLE) {
  Deno.test(`audio header: ${what}`, () => {
    assert.equal(audioFlags(payload), flags);
    assert.equal(audioCodec(payload), codec);
  });
}

Deno.test("audio header Q42 H13: empty and one-byte messages are nothing", () => {
  for (const payload of [hex(""), hex("af"), hex("90"), hex("97")]) {
    assert.equal(audioFlags(payload), 0);
  }
  assert.equal(audioCodec(hex("")), AudioCodec.NONE);
});

Deno.test("audio header: MultichannelConfig is cached for joiners, frames are not", () => {
  assert.notEqual(audioFlags(concat("94", "'ac-3", "01 06")) & JOIN_FLAGS, 0);
  assert.equal(audioFlags(concat("95 11", "'ec-3", "00 000000")) & JOIN_FLAGS, 0);
});

Deno.test("audio header: track id and place of the configuration", () => {
  assert.equal(audioTrackId(hex("af 01 21")), 0);
  assert.equal(audioTrackId(concat("95 00", "'mp4a", "07 1190")), 7);
  assert.equal(audioConfigOffset(hex("af 00 1190")), 2);
  assert.equal(audioConfigOffset(concat("90", "'mp4a", "1190")), 5);
  assert.equal(audioConfigOffset(concat("95 10", "'mp4a", "00 000002 1190")), 10);
  assert.equal(audioConfigOffset(hex("af 01 1190")), -1);
});

Deno.test("audio header H14: arbitrary bytes never throw, and a configuration lies inside", () => {
  const first = fc.oneof(fc.constantFrom(0x90, 0x94, 0x95, 0x97, 0xaf), fc.nat(255));
  const bytes = fc.tuple(first, fc.array(fc.oneof(fc.nat(8), fc.nat(255)), { maxLength: 30 }))
    .map(([head, rest]) => Uint8Array.from([head, ...rest]));
  fc.assert(
    fc.property(bytes, (payload) => {
      audioCodec(payload);
      audioTrackId(payload);
      assert.equal(audioFlags(payload) & FrameFlag.KEYFRAME, 0);
      assert.ok(audioConfigOffset(payload) < payload.length);
    }),
    { numRuns: 3000 },
  );
});
