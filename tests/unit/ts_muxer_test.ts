/**
 * MPEG-TS of a stream's messages: every packet by the standard's rules, every byte of every frame.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { MessageType } from "../../src/rtmp/message.ts";
import { fitsTs, TsMuxer } from "../../src/ts/ts_muxer.ts";
import { crc32 } from "../../src/ts/tables.ts";
import { AudioCodec } from "../../src/codec/audio_header.ts";
import { VideoCodec } from "../../src/codec/video_header.ts";
import { readTs } from "./support/ts_reader.ts";

const { AUDIO, VIDEO } = MessageType;
const SPS = [0x67, 0x64, 0, 0x1f, 0xac];
const PPS = [0x68, 0xee, 0x3c];
const START = [0, 0, 0, 1];

/** avcC with lengths of 4 bytes. */
const AVCC = [1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, SPS.length, ...SPS, 1, 0, PPS.length, ...PPS];
const H264_HEADER = Uint8Array.of(0x17, 0, 0, 0, 0, ...AVCC);
/** LC, 44.1 kHz, stereo. */
const AAC_HEADER = Uint8Array.of(0xaf, 0, 0x12, 0x10);

const u24 = (value: number) => [value >> 16 & 0xff, value >> 8 & 0xff, value & 0xff];
const unit = (nal: readonly number[]) => [0, ...u24(nal.length), ...nal];

/** A picture of H.264 with these NAL units. */
function picture(isKey: boolean, composition: number, ...nals: number[][]): Uint8Array {
  return Uint8Array.of(
    isKey ? 0x17 : 0x27,
    1,
    ...u24(composition & 0xffffff),
    ...nals.flatMap(unit),
  );
}

const audio = (bytes: readonly number[]) => Uint8Array.of(0xaf, 1, ...bytes);

interface Message {
  readonly type: number;
  readonly time: number;
  readonly payload: Uint8Array;
}

function mux(messages: readonly Message[], muxer = new TsMuxer()): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { type, time, payload } of messages) {
    const size = muxer.take(type, time, payload);
    const before = 3;
    const bytes = new Uint8Array(before + size + 2);
    if (size > 0) assert.equal(muxer.write(bytes, before), before + size, "as long as it was said");
    assert.deepEqual([...bytes.subarray(0, before), ...bytes.subarray(before + size)], [
      0,
      0,
      0,
      0,
      0,
    ]);
    parts.push(bytes.subarray(before, before + size));
  }
  return Buffer.concat(parts);
}

const video = (time: number, payload: Uint8Array) => ({ type: VIDEO, time, payload });
const sound = (time: number, payload: Uint8Array) => ({ type: AUDIO, time, payload });

Deno.test("TS: a picture and an audio frame, byte by byte", () => {
  const { pes, tracks, pcrPid } = readTs(mux([
    video(1000, H264_HEADER),
    sound(1000, AAC_HEADER),
    video(1000, picture(true, 80, [0x65, 1, 2, 3])),
    sound(1010, audio([7, 8, 9])),
    video(1040, picture(false, -40, [0x41, 4])),
  ]));
  assert.deepEqual([...tracks], [[0x100, 0x1b], [0x101, 0x0f]]);
  assert.equal(pcrPid, 0x100);
  const delimiter = [...START, 0x09, 0xf0];
  const [key, delta, aac] = pes.toSorted((a, b) => a.pid - b.pid);
  assert.deepEqual(
    [...key.payload],
    [...delimiter, ...START, ...SPS, ...START, ...PPS, ...START, 0x65, 1, 2, 3],
  );
  assert.deepEqual([key.streamId, key.pts, key.dts, key.pcr, key.isKey], [
    ...[0xe0, 1080 * 90, 1000 * 90, 1000 * 90],
    true,
  ]);
  assert.deepEqual([...delta.payload], [...delimiter, ...START, 0x41, 4]);
  assert.deepEqual([delta.pts, delta.dts, delta.pcr, delta.isKey], [90_000, 93_600, 93_600, false]);
  // 7 + 3 bytes, LC, 44.1 kHz, stereo.
  assert.deepEqual([...aac.payload], [0xff, 0xf1, 0x50, 0x80, 0x01, 0x5f, 0xfc, 7, 8, 9]);
  assert.deepEqual([aac.streamId, aac.pts, aac.pcr], [0xc0, 1010 * 90, null]);
});

Deno.test("TS: frames of any size, at any time", () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constantFrom(8000, 70_000));
  const frame = fc.record({
    isVideo: fc.boolean(),
    isKey: fc.boolean(),
    size,
    time: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    composition: fc.integer({ min: 0, max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 20 }), (frames) => {
      const messages: Message[] = [video(0, H264_HEADER), sound(0, AAC_HEADER)];
      const expected: { pid: number; pts: number; dts: number; size: number }[] = [];
      for (const { isVideo, isKey, size, time, composition } of frames) {
        const dts = time * 90 % 2 ** 33;
        if (isVideo) {
          const nal = new Array(size).fill(0x61);
          messages.push(video(time, picture(isKey, composition, nal)));
          const sets = isKey ? 8 + SPS.length + PPS.length : 0;
          const pts = (time + composition) * 90 % 2 ** 33;
          expected.push({ pid: 0x100, pts, dts, size: 6 + sets + 4 + size });
        } else if (size <= 8000) {
          messages.push(sound(time, audio(new Array(size).fill(0x21))));
          expected.push({ pid: 0x101, pts: dts, dts, size: 7 + size });
        }
      }
      const bytes = mux(messages);
      const { pes } = readTs(bytes);
      for (const pid of [0x100, 0x101]) {
        const got = pes.filter((one) => one.pid === pid)
          .map(({ pts, dts, payload }) => ({ pid, pts, dts, size: payload.length }));
        assert.deepEqual(got, expected.filter((one) => one.pid === pid));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("TS: audio alone tells the clock, and the tables every half second", () => {
  const frames = Array.from({ length: 100 }, (_, i) => sound(i * 23, audio([i])));
  const { pes, tracks, pcrPid, tables } = readTs(mux([sound(0, AAC_HEADER), ...frames]));
  assert.deepEqual([...tracks], [[0x101, 0x0f]]);
  assert.equal(pcrPid, 0x101);
  assert.ok(pes.every(({ pcr, pts }) => pcr === pts));
  assert.equal(tables, 5);
});

Deno.test("TS: another codec is told in the tables at once", () => {
  const mp3 = Uint8Array.of(0x2f, 0xff, 0xfb, 0x90, 0x44);
  const { pes, tracks, version } = readTs(mux([
    sound(0, AAC_HEADER),
    sound(0, audio([1])),
    sound(23, mp3),
    video(30, H264_HEADER),
    video(30, picture(true, 0, [0x65])),
    sound(46, mp3),
  ]));
  assert.deepEqual([...tracks], [[0x100, 0x1b], [0x101, 0x03]]);
  assert.equal(version, 2);
  const sounds = pes.filter(({ pid }) => pid === 0x101).map(({ payload }) => payload.length);
  assert.deepEqual(sounds, [8, 4, 4]);
});

Deno.test("TS: parameter sets and delimiters of a picture's own are not doubled; sets that change are told", () => {
  const newSets = Uint8Array.of(
    0x17,
    0,
    0,
    0,
    0,
    1,
    0x64,
    0,
    0x1f,
    0xff,
    0xe1,
    0,
    2,
    0x67,
    9,
    1,
    0,
    2,
  )
    .slice(0);
  const header = Uint8Array.of(...newSets, 0x68, 9);
  const { pes } = readTs(mux([
    video(0, H264_HEADER),
    video(0, picture(true, 0, [0x09, 0x10], [...SPS], [...PPS], [0x65, 1])),
    video(40, picture(true, 0, [0x09, 0x10], [0x65, 2])),
    video(80, header),
    video(80, picture(true, 0, [0x65, 3])),
  ]));
  const own = [...START, 0x09, 0x10, ...START, ...SPS, ...START, ...PPS, ...START, 0x65];
  assert.deepEqual([...pes[0].payload], [...own, 1]);
  assert.deepEqual([...pes[1].payload], [...own, 2], "after the delimiter");
  assert.deepEqual(
    [...pes[2].payload],
    [...START, 0x09, 0xf0, ...START, 0x67, 9, ...START, 0x68, 9, ...START, 0x65, 3],
  );
});

Deno.test("TS: HEVC, legacy and enhanced, with its own sets and delimiter", () => {
  const array = (type: number, nal: number[]) => [type, 0, 1, 0, nal.length, ...nal];
  const record = [
    ...new Array(21).fill(1),
    0xff,
    4,
    ...array(0xa0, [0x40, 1]),
    ...array(0xa1, [0x42, 1]),
    ...array(0xa2, [0x44, 1]),
    // SEI is no parameter set.
    ...array(0xa7, [0x4e, 1]),
  ];
  const expected = [
    ...[...START, 0x46, 1, 0x50],
    ...[...START, 0x40, 1, ...START, 0x42, 1, ...START, 0x44, 1],
    ...[...START, 0x26, 1, 5],
  ];
  const fourCc = [...Buffer.from("hvc1")];
  const nal = unit([0x26, 1, 5]);
  for (
    const [header, frame] of [
      [[0x1c, 0, 0, 0, 0, ...record], [0x1c, 1, 0, 0, 40, ...nal]],
      [[0x90, ...fourCc, ...record], [0x91, ...fourCc, 0, 0, 40, ...nal]],
      [[0x90, ...fourCc, ...record], [0x93, ...fourCc, ...nal]],
    ]
  ) {
    const { pes, tracks } = readTs(
      mux([video(0, Uint8Array.from(header)), video(10, Uint8Array.from(frame))]),
    );
    assert.deepEqual([...tracks], [[0x100, 0x24]]);
    assert.deepEqual([...pes[0].payload], expected);
    assert.equal(pes[0].pts, (frame[0] === 0x93 ? 10 : 50) * 90);
  }
});

Deno.test("TS: units without bytes, units that are cut off, and start codes instead of lengths", () => {
  const { pes } = readTs(mux([
    video(0, H264_HEADER),
    video(0, picture(false, 0, [], [0x41, 1], [])),
    video(40, Uint8Array.of(0x27, 1, 0, 0, 0, ...unit([0x41, 2]), 0, 0, 1, 0, 0x41)),
    video(80, Uint8Array.of(0x27, 1, 0, 0, 0, ...START, 0x41, 3, ...START, 0x41, 4)),
    video(120, Uint8Array.of(0x27, 1, 0, 0, 0, 0, 0, 0, 0)),
    video(160, Uint8Array.of(0x27, 1)),
  ]));
  const delimiter = [...START, 0x09, 0xf0];
  assert.deepEqual(pes.map(({ payload }) => [...payload]), [
    [...delimiter, ...START, 0x41, 1],
    [...delimiter, ...START, 0x41, 2],
    [...delimiter, ...START, 0x41, 3, ...START, 0x41, 4],
  ]);
});

Deno.test("TS: what has no place in it is left out, and does no harm", () => {
  const anything = fc.uint8Array({ maxLength: 60 });
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(AUDIO, VIDEO, 18), anything)), (some) => {
    const muxer = new TsMuxer();
    const messages = some.map(([type, payload], i) => ({ type, time: i, payload }));
    readTs(mux(messages, muxer));
    // A proper stream after it.
    const rest = mux([
      video(100, H264_HEADER),
      sound(100, AAC_HEADER),
      video(100, picture(true, 0, [0x65])),
      sound(100, audio([1])),
    ], muxer);
    assert.ok(rest.length >= 4 * 188);
  }));
  for (const codec of [VideoCodec.AV1, VideoCodec.VP9, AudioCodec.OPUS, AudioCodec.G711A, 0]) {
    assert.equal(fitsTs(codec), false);
  }
  for (const codec of [VideoCodec.H264, VideoCodec.HEVC, AudioCodec.AAC, AudioCodec.MP3]) {
    assert.equal(fitsTs(codec), true);
  }
});

Deno.test("TS: the checksum is MPEG's", () => {
  // The example of the catalogue of CRCs: CRC-32/MPEG-2 of "123456789".
  assert.equal(crc32(Buffer.from("123456789")), 0x0376e6e7);
});
