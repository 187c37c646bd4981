/**
 * Parts and segments: every frame once, in order, with its time; lengths that keep to what is announced.
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { type Init, type Part, Segmenter } from "../../src/hls/segmenter.ts";
import { MessageType } from "../../src/rtmp/message.ts";
import { boxes, readFragments } from "./support/mp4_reader.ts";

const { AUDIO, VIDEO } = MessageType;
const AVCC = [1, 0x64, 0, 0x1f, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 1];
const VIDEO_HEADER = Uint8Array.of(0x17, 0, 0, 0, 0, ...AVCC);
const AUDIO_HEADER = Uint8Array.of(0xaf, 0, 0x12, 0x10);
const START_MS = 10_000;

const picture = (isKey: boolean, id: number, composition = 0) =>
  Uint8Array.of(
    ...[isKey ? 0x17 : 0x27, 1, 0, 0, composition],
    ...[0, 0, 0, 3, isKey ? 0x65 : 0x41, id >> 8, id & 0xff],
  );
const aac = (id: number) => Uint8Array.of(0xaf, 1, 0x21, id >> 8, id & 0xff);

/** A segmenter, and what it has told. */
class Scene {
  readonly parts: Part[] = [];
  readonly inits: Init[] = [];
  /** Parts of each segment that is complete. */
  readonly segments: Part[][] = [];
  readonly told: string[] = [];
  readonly segmenter: Segmenter;
  #open: Part[] = [];

  constructor(fragment = 2, part = 0.2) {
    this.segmenter = new Segmenter({ fragment, part }, {
      onInit: (init) => {
        this.inits.push(init);
        this.told.push("init");
      },
      onPart: (part) => {
        this.parts.push(part);
        this.#open.push(part);
        this.told.push("part");
      },
      onSegment: () => {
        this.segments.push(this.#open);
        this.#open = [];
        this.told.push("segment");
      },
      onDiscontinuity: () => this.told.push("discontinuity"),
    });
  }

  video(ms: number, isKey: boolean, id = 0, composition = 0): void {
    this.segmenter.message(VIDEO, ms, picture(isKey, id, composition));
  }

  audio(ms: number, id = 0): void {
    this.segmenter.message(AUDIO, ms, aac(id));
  }

  headers(audio = true, video = true): void {
    if (audio) this.segmenter.message(AUDIO, 0, AUDIO_HEADER);
    if (video) this.segmenter.message(VIDEO, 0, VIDEO_HEADER);
  }

  /** The samples of a track, over all parts. */
  samples(trackId: number) {
    const { samples } = readFragments(Buffer.concat(this.parts.map(({ bytes }) => bytes)));
    return samples.filter((sample) => sample.trackId === trackId);
  }
}

const idOf = (data: Uint8Array) => data[data.length - 2] << 8 | data[data.length - 1];
const sum = (parts: readonly Part[]) => parts.reduce((all, { duration }) => all + duration, 0);

/** A stream with `fps` pictures and AAC, as an encoder sends it: all in the order of time. */
function stream(scene: Scene, seconds: number, fps: number, gopFrames: number, fromMs = 0): void {
  const messages: { ms: number; send: () => void }[] = [];
  for (let i = 0; i < seconds * fps; i++) {
    const ms = fromMs + Math.round(i * 1000 / fps);
    messages.push({ ms, send: () => scene.video(ms, i % gopFrames === 0, i, 40) });
  }
  for (let i = 0; i < seconds * 44_100 / 1024; i++) {
    const ms = fromMs + Math.floor(i * 1024 / 44.1);
    messages.push({ ms, send: () => scene.audio(ms, i) });
  }
  for (const { send } of messages.sort((a, b) => a.ms - b.ms)) send();
}

Deno.test("HLS parts: 25 pictures a second are parts of five, and segments of two seconds", () => {
  const scene = new Scene();
  scene.headers();
  stream(scene, 7, 25, 50);
  scene.segmenter.end();
  assert.equal(scene.segmenter.partTarget, 0.22);
  assert.deepEqual(scene.segments.map((parts) => parts.length), [10, 10, 10, 5]);
  assert.ok(scene.parts.every(({ duration }) => Math.abs(duration - 0.2) < 1e-9));
  assert.deepEqual(scene.parts.map(({ isIndependent }, i) => isIndependent === (i % 10 === 0)), [
    ...scene.parts.map(() => true),
  ]);
  assert.equal(scene.inits.length, 1);
  assert.deepEqual(scene.inits[0].codecs, ["avc1.64001f", "mp4a.40.2"]);
  assert.deepEqual(boxes(scene.inits[0].bytes).map(({ type }) => type), ["ftyp", "moov"]);
  const video = scene.samples(1);
  assert.deepEqual(video.map(({ data }) => idOf(data)), Array.from({ length: 175 }, (_, i) => i));
  video.forEach(({ time, duration, composition }, i) => {
    assert.deepEqual([time, duration, composition], [(START_MS + i * 40) * 90, 3600, 3600]);
  });
  const audio = scene.samples(2);
  audio.forEach(({ time, duration, data }, i) => {
    assert.deepEqual([time - audio[0].time, duration, idOf(data)], [i * 1024, 1024, i]);
  });
});

Deno.test("HLS parts: any rate, any GOP: nothing lost, no part longer than announced", () => {
  const fps = fc.constantFrom(5, 10, 15, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60);
  const gop = fc.integer({ min: 1, max: 300 });
  const from = fc.constantFrom(0, 5, 123_456_789, 2 ** 32 - 1000);
  fc.assert(
    fc.property(fps, gop, from, (fps, gop, from) => {
      const scene = new Scene();
      scene.headers();
      const seconds = 12;
      stream(scene, seconds, fps, gop, from);
      scene.segmenter.end();
      const { partTarget, longest } = scene.segmenter;
      for (const { duration } of scene.parts) {
        assert.ok(duration <= partTarget + 1e-9, `${duration} s, ${partTarget} were announced`);
      }
      const frames = Math.ceil(seconds * fps);
      assert.deepEqual(
        scene.samples(1).map(({ data }) => idOf(data)),
        Array.from({ length: frames }, (_, i) => i),
      );
      assert.ok(scene.samples(2).length >= seconds * 43 - 2, "and the audio");
      assert.ok(Math.abs(sum(scene.parts) - frames / fps) <= 2 / fps, "as long as the stream");
      for (const parts of scene.segments) assert.ok(sum(parts) <= longest + 1e-9);
      // All but the last part of a segment are as long as players want them.
      for (const parts of scene.segments) {
        for (const { duration } of parts.slice(0, -1)) {
          assert.ok(duration >= 0.8 * partTarget || duration >= partTarget - 1 / fps - 0.002);
        }
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("HLS segments: they begin with keyframes; a GOP without end is cut all the same", () => {
  const scene = new Scene(2);
  scene.headers(false);
  stream(scene, 30, 25, 10_000);
  assert.ok(scene.segments.length >= 4);
  assert.ok(scene.segments.every((parts) => sum(parts) <= 6 + 1e-9));
  assert.equal(scene.segments.filter(([first]) => first.isIndependent).length, 1);
});

Deno.test("HLS: audio alone is independent everywhere, and cut like pictures", () => {
  const scene = new Scene();
  scene.headers(true, false);
  for (let i = 0; i < 430; i++) scene.audio(Math.floor(i * 1024 / 44.1), i);
  scene.segmenter.end();
  assert.ok(scene.parts.every(({ isIndependent }) => isIndependent));
  assert.ok(scene.parts.every(({ duration }) => duration <= scene.segmenter.partTarget));
  assert.equal(scene.samples(2).length, 430);
  assert.deepEqual(scene.inits.map(({ codecs }) => codecs), [["mp4a.40.2"]]);
  assert.ok(scene.segments.length >= 4);
});

Deno.test("HLS: nothing before the first keyframe, and nothing without headers", () => {
  const scene = new Scene();
  for (let i = 0; i < 50; i++) scene.video(i * 40, i === 0, i);
  assert.deepEqual(scene.told, []);
  scene.headers();
  for (let i = 50; i < 100; i++) scene.video(i * 40, i === 75, i);
  scene.segmenter.end();
  assert.deepEqual(scene.samples(1).map(({ data }) => idOf(data)), [
    ...Array.from({ length: 25 }, (_, i) => 75 + i),
  ]);
});

Deno.test("HLS: another configuration ends the segment, and has an init segment of its own", () => {
  const scene = new Scene();
  scene.headers();
  stream(scene, 3, 25, 25);
  scene.segmenter.message(VIDEO, 3000, VIDEO_HEADER);
  assert.equal(scene.inits.length, 1, "the same again is no change");
  const other = VIDEO_HEADER.slice();
  other[8] = 0x29;
  scene.segmenter.message(VIDEO, 3000, other);
  stream(scene, 3, 25, 25, 3000);
  scene.segmenter.end();
  assert.deepEqual(scene.inits.map(({ codecs }) => codecs[0]), ["avc1.64001f", "avc1.640029"]);
  assert.equal(scene.told[scene.told.lastIndexOf("init") - 1], "segment");
  assert.equal(scene.samples(1).length, 150);
});

Deno.test("HLS: a jump of time is told, and what comes then is placed where it belongs", () => {
  const scene = new Scene();
  scene.headers();
  stream(scene, 2, 25, 25);
  stream(scene, 2, 25, 25, 60_000);
  stream(scene, 2, 25, 25, 1000);
  scene.segmenter.end();
  assert.equal(scene.told.filter((what) => what === "discontinuity").length >= 2, true);
  const times = scene.samples(1).map(({ time }) => time / 90 - START_MS);
  assert.ok(times.includes(0) && times.includes(60_000) && times.includes(1000));
});

Deno.test("HLS: what no track is, and frames without bytes, do no harm", () => {
  const anything = fc.tuple(fc.constantFrom(AUDIO, VIDEO, 18), fc.uint8Array({ maxLength: 40 }));
  const times = fc.integer({ min: 0, max: 100_000 });
  fc.assert(fc.property(fc.array(fc.tuple(anything, times), { maxLength: 80 }), (messages) => {
    const scene = new Scene();
    scene.headers();
    for (const [[type, payload], ms] of messages) scene.segmenter.message(type, ms, payload);
    scene.segmenter.end();
    readFragments(Buffer.concat(scene.parts.map(({ bytes }) => bytes)));
    for (const { duration } of scene.parts) assert.ok(duration >= 0 && duration < 1e6);
  }));
});
