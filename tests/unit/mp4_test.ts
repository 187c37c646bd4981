/**
 * Fragmented MP4: boxes, sample entries, fragments, names of codecs.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { AudioCodec } from "../../src/codec/audio_header.ts";
import { H264_NALS } from "../../src/codec/nal_units.ts";
import { VideoCodec } from "../../src/codec/video_header.ts";
import { audioCodecString, videoCodecString } from "../../src/mp4/codec_string.ts";
import { fragment } from "../../src/mp4/fragment.ts";
import { initSegment } from "../../src/mp4/init_segment.ts";
import { pictureSample } from "../../src/mp4/picture.ts";
import { audioEntry, videoEntry } from "../../src/mp4/sample_entry.ts";
import { boxAt, boxes, readFragments } from "./support/mp4_reader.ts";

const AVCC = Uint8Array.of(1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 1);
const ASC = Uint8Array.of(0x12, 0x10);

Deno.test("MP4: the init segment has each track with its codec, size and clock", () => {
  const video = videoEntry(VideoCodec.H264, AVCC, 640, 360);
  const format = { codec: AudioCodec.AAC, config: ASC, sampleRate: 44_100, channels: 2 };
  const audio = audioEntry(format);
  assert.ok(video && audio);
  const bytes = initSegment([
    { id: 1, kind: "video", timescale: 90_000, entry: video, width: 640, height: 360 },
    { id: 2, kind: "audio", timescale: 44_100, entry: audio, width: 0, height: 0 },
  ]);
  assert.deepEqual(boxes(bytes).map(({ type }) => type), ["ftyp", "moov"]);
  const moov = boxAt(bytes, "moov").content;
  assert.deepEqual(boxes(moov).map(({ type }) => type), ["mvhd", "trak", "trak", "mvex"]);
  assert.equal(boxes(boxAt(moov, "mvex").content).length, 2);
  const [first, second] = boxes(moov).filter(({ type }) => type === "trak");
  const view = (bytes: Uint8Array) => Buffer.from(bytes);
  const tkhd = view(boxAt(first.content, "tkhd").content);
  assert.deepEqual([tkhd.readUInt32BE(12), tkhd.readUInt16BE(76), tkhd.readUInt16BE(80)], [
    ...[1, 640, 360],
  ]);
  assert.equal(view(boxAt(first.content, "mdia mdhd").content).readUInt32BE(12), 90_000);
  assert.equal(view(boxAt(second.content, "mdia mdhd").content).readUInt32BE(12), 44_100);
  const stsd = boxAt(first.content, "mdia minf stbl stsd").content;
  assert.deepEqual(stsd.subarray(8), video);
  assert.deepEqual(boxAt(video.subarray(8 + 78), "avcC").content, AVCC);
  assert.equal(boxes(video)[0].type, "avc1");
  const esds = boxAt(audio.subarray(8 + 28), "esds").content;
  // The configuration as it is, behind the decoder's descriptor.
  assert.ok(view(esds).includes(Buffer.from([0x05, 0x80, 0x80, 0x80, 2, ...ASC])));
  assert.equal(esds[4 + 5 + 3 + 5], 0x40);
});

Deno.test("MP4: what other codecs have in their entries", () => {
  const typeOf = (entry: Uint8Array | null) => entry && boxes(entry)[0].type;
  const record = Uint8Array.of(1, 0, 10, 0x80, 1, 1);
  assert.equal(typeOf(videoEntry(VideoCodec.HEVC, record, 2, 2)), "hvc1");
  assert.equal(typeOf(videoEntry(VideoCodec.AV1, record, 2, 2)), "av01");
  assert.equal(videoEntry(VideoCodec.VP8, record, 2, 2), null);
  // With and without version and flags, it is the same box.
  const long = videoEntry(VideoCodec.VP9, Uint8Array.of(1, 0, 0, 0, ...record), 2, 2);
  assert.deepEqual(videoEntry(VideoCodec.VP9, record, 2, 2), long);
  const head = Buffer.from("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00", "latin1");
  const opus = audioEntry({
    codec: AudioCodec.OPUS,
    config: head,
    sampleRate: 48_000,
    channels: 2,
  });
  assert.ok(opus);
  assert.deepEqual([...boxAt(opus.subarray(36), "dOps").content], [
    ...[0, 2, 0x01, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0],
  ]);
  const none = { config: new Uint8Array(4), sampleRate: 48_000, channels: 2 };
  assert.equal(audioEntry({ ...none, codec: AudioCodec.OPUS }), null, "it is cut off");
  assert.equal(audioEntry({ ...none, codec: AudioCodec.FLAC }), null);
  assert.equal(audioEntry({ ...none, codec: AudioCodec.G711A }), null);
  const mp3 = audioEntry({ ...none, codec: AudioCodec.MP3 });
  assert.ok(mp3);
  assert.equal(boxAt(mp3.subarray(36), "esds").content[17], 0x6b);
});

Deno.test("MP4: any samples come back out of fragments as they went in", () => {
  const sample = fc.record({
    data: fc.uint8Array({ maxLength: 300 }),
    duration: fc.nat(100_000),
    composition: fc.integer({ min: -50_000, max: 50_000 }),
    isSync: fc.boolean(),
  });
  const run = fc.record({
    trackId: fc.integer({ min: 1, max: 2 }),
    baseTime: fc.nat(Number.MAX_SAFE_INTEGER - 2 ** 40),
    samples: fc.array(sample, { maxLength: 8 }),
  });
  fc.assert(fc.property(fc.array(fc.array(run, { maxLength: 2 }), { maxLength: 4 }), (all) => {
    const bytes = Buffer.concat(all.map((runs, i) => fragment(i + 1, runs)));
    const { sequences, samples } = readFragments(bytes);
    assert.deepEqual(sequences, all.map((_, i) => i + 1));
    const expected = all.flat().flatMap(({ trackId, baseTime, samples }) => {
      let time = baseTime;
      return samples.map((each) => {
        const out = { trackId, time, ...each };
        time += each.duration;
        return out;
      });
    });
    assert.deepEqual(
      samples.map((each) => ({ ...each, data: [...each.data] })),
      expected.map((each) => ({ ...each, data: [...each.data] })),
    );
  }));
});

Deno.test("MP4: a picture keeps its units; those without bytes are left out, start codes become lengths", () => {
  const take = (
    bytes: number[],
    lengthBytes = 4,
  ) => [...pictureSample(Uint8Array.from([9, 9, ...bytes]), 2, lengthBytes, H264_NALS)];
  const good = [0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x06];
  assert.deepEqual(take(good), good);
  assert.deepEqual(take([0, 0, 0, 0, ...good, 0, 0, 0, 0]), good);
  assert.deepEqual(take([0, 0, 0, 1, 0x65, 1, 0, 0, 0, 1, 0x06]), good);
  assert.deepEqual(take([0, 2, 0x65, 1, 0, 9, 1], 2), [0, 2, 0x65, 1], "cut off");
  assert.deepEqual(take([]), []);
});

Deno.test("MP4: names of codecs", () => {
  const { H264, HEVC, AV1, VP9, VP8 } = VideoCodec;
  assert.equal(videoCodecString(H264, AVCC), "avc1.64001f");
  // Main, level 3.1, progressive and frame-only: as Apple writes it.
  const hevc = Uint8Array.of(1, 1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93);
  assert.equal(videoCodecString(HEVC, hevc), "hvc1.1.6.L93.b0");
  assert.equal(videoCodecString(AV1, Uint8Array.of(0x81, 0x08, 0x0c, 0)), "av01.0.08M.08");
  assert.equal(videoCodecString(VP9, Uint8Array.of(1, 0, 0, 0, 0, 31, 0x80)), "vp09.00.31.08");
  assert.equal(videoCodecString(VP9, Uint8Array.of(2, 41, 0xa0, 1)), "vp09.02.41.10");
  assert.equal(videoCodecString(VP8, AVCC), null);
  assert.equal(videoCodecString(H264, new Uint8Array(2)), null);
  assert.equal(audioCodecString(AudioCodec.AAC, ASC), "mp4a.40.2");
  assert.equal(audioCodecString(AudioCodec.AAC, Uint8Array.of(0xf9, 0x40)), "mp4a.40.42");
  assert.equal(audioCodecString(AudioCodec.OPUS, ASC), "opus");
  assert.equal(audioCodecString(AudioCodec.G711A, ASC), null);
});
