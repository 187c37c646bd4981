/**
 * How long audio frames last, and where they are placed in time.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { audioClock } from "../../src/codec/audio_frames.ts";
import { AudioCodec } from "../../src/codec/audio_header.ts";
import { AudioTimes } from "../../src/hls/audio_times.ts";

const { AAC, MP3, OPUS, G711A } = AudioCodec;

/** Rate, channels, and samples of a frame. */
function told(codec: number, config: Uint8Array, frame = new Uint8Array(1)) {
  const clock = audioClock(codec, config);
  return clock && [clock.rate, clock.channels, clock.samplesOf(frame)];
}

Deno.test("audio frames: AAC, with its short frames, and the rate before SBR doubles it", () => {
  assert.deepEqual(told(AAC, Uint8Array.of(0x12, 0x10)), [44_100, 2, 1024]);
  assert.deepEqual(told(AAC, Uint8Array.of(0x11, 0x8c)), [48_000, 1, 960]);
  // HE-AAC: 24 kHz, doubled to 48, LC within.
  assert.deepEqual(told(AAC, Uint8Array.of(0x2b, 0x11, 0x88, 0x00)), [24_000, 2, 1024]);
  assert.equal(told(AAC, new Uint8Array(1)), null);
});

Deno.test("audio frames: MP3 with half the samples at low rates", () => {
  assert.deepEqual(told(MP3, Uint8Array.of(0xff, 0xfb, 0x90, 0x64)), [44_100, 2, 1152]);
  assert.deepEqual(told(MP3, Uint8Array.of(0xff, 0xf3, 0x80, 0xc4)), [22_050, 1, 576]);
  assert.equal(told(MP3, Uint8Array.of(1, 2, 3, 4)), null);
});

Deno.test("audio frames: Opus by the first byte of each packet", () => {
  const head = Buffer.from("OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0", "latin1");
  const samples = (...packet: number[]) => told(OPUS, head, Uint8Array.from(packet))?.[2];
  assert.deepEqual(told(OPUS, head, Uint8Array.of(0xfc)), [48_000, 2, 960]);
  // SILK of 60 ms, hybrid of 20 ms, CELT of 2.5 ms; one, two, and three frames.
  assert.deepEqual([samples(3 << 3), samples(13 << 3), samples(16 << 3)], [2880, 960, 120]);
  assert.deepEqual([samples(31 << 3 | 1), samples(31 << 3 | 3, 3)], [1920, 2880]);
  assert.equal(samples(), 0);
  assert.equal(told(G711A, head), null);
});

Deno.test("audio times: counted in samples, whatever ms the messages say", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 33 }), (from) => {
    const times = new AudioTimes(44_100);
    let first = NaN;
    for (let i = 0; i < 2000; i++) {
      const time = times.place(from + Math.floor(i * 1024 / 44.1), 1024);
      if (i === 0) first = time ?? NaN;
      assert.equal(time, first + i * 1024);
    }
    assert.equal(first, Math.round((from + 10_000) * 44.1));
  }));
});

Deno.test("audio times: a hole stays a hole, and what there is no room for is left out", () => {
  const times = new AudioTimes(1000);
  assert.equal(times.place(0, 20), 10_000);
  assert.equal(times.place(40, 20), 10_020, "40 ms may be the encoder's lumps");
  assert.equal(times.place(500, 20), 10_500);
  // An encoder whose samples last longer than its clock says.
  let left = 0;
  for (let i = 1; i <= 100; i++) if (times.place(500 + 18 * i, 20) === null) left++;
  assert.ok(left > 5 && left < 15, `${left} left out`);
});
