/**
 * One timeline out of any publisher's timestamps.
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { TimeJitter } from "../../src/config/types.ts";
import { Timeline, trackKey } from "../../src/live/ingest/timeline.ts";

const HOUR_MS = 3_600_000;
const VIDEO = trackKey(true, 0);
const AUDIO = trackKey(false, 0);

/** Stamps in turn; messages come 40 ms apart unless said otherwise. */
function stamps(jitter: TimeJitter, originals: number[], gapMs = 40): number[] {
  const timeline = new Timeline(jitter);
  return originals.map((original, i) => timeline.stamp(VIDEO, original, i * gapMs));
}

Deno.test("full: a stream begins at its publisher's time, with room for tracks that lag behind", () => {
  for (const first of [0, 100, 251, 50_000, 60_000]) {
    assert.deepEqual(stamps("full", [first]), [first]);
  }
  assert.deepEqual(stamps("full", [2 ** 31 - 1]), [60_000]);
});

Deno.test("full: steps up to 250 ms either way are kept, larger ones become 10 ms", () => {
  assert.deepEqual(stamps("full", [0, 250, 500], 1), [0, 250, 500]);
  assert.deepEqual(stamps("full", [0, 200, 100, 350], 1), [0, 200, 100, 350]);
  assert.deepEqual(stamps("full", [0, 251, 502], 1), [0, 10, 20]);
  assert.deepEqual(stamps("full", [100, 400, 149, 189], 1), [100, 110, 120, 160]);
});

Deno.test("full: it is never negative", () => {
  assert.deepEqual(stamps("full", [100, 0, 0, 40]), [100, 0, 0, 40]);
  assert.deepEqual(stamps("full", [200, 100, 0, 0]), [200, 100, 0, 0]);
});

Deno.test("full: a camera that sends one frame in a second keeps its pace", () => {
  const seconds = [0, 1000, 2000, 3000];
  assert.deepEqual(stamps("full", seconds, 1000), seconds);
  // Nor does a little unsteadiness of the network matter.
  assert.deepEqual(stamps("full", seconds, 700), seconds);
  assert.deepEqual(stamps("full", seconds, 1400), seconds);
  // But the same steps in no time, or after an hour of silence, are jumps.
  assert.deepEqual(stamps("full", seconds, 1), [0, 10, 20, 30]);
  assert.deepEqual(stamps("full", seconds, HOUR_MS), [0, 10, 20, 30]);
});

Deno.test("full: jumps of an hour, constant time, and the wrap at 2^31 (H24, Q5, Q48)", () => {
  assert.deepEqual(
    stamps("full", [0, 40, HOUR_MS, HOUR_MS + 40, 80, 120]),
    [0, 40, 50, 90, 100, 140],
  );
  assert.deepEqual(stamps("full", [40, 40, 40, 40]), [40, 40, 40, 40]);
  const wrap = 2 ** 31;
  assert.deepEqual(stamps("full", [wrap - 40, wrap - 1, 39, 79]), [60_000, 60_039, 60_079, 60_119]);
});

Deno.test("full: the next publisher goes on where the last one ended", () => {
  for (const first of [0, 7, 900, 999, 1000, 1040, 1250, 50_000, 2 ** 31 - 1]) {
    const timeline = new Timeline("full");
    for (let t = 0; t <= 1000; t += 40) timeline.stamp(VIDEO, t, t);
    const before = timeline.now;
    timeline.restart();
    assert.equal(timeline.now, before);
    const taken = timeline.stamp(VIDEO, first, 6000);
    assert.ok(taken >= before && taken <= before + 250, `first ${first}: ${before} -> ${taken}`);
    assert.equal(timeline.stamp(VIDEO, first + 33, 6033), taken + 33);
  }
});

Deno.test("full: the next publisher is not behind what any track has had", () => {
  for (const jitter of ["full", "zero"] as const) {
    const timeline = new Timeline(jitter);
    // Sound is 100 ms ahead of the pictures.
    for (const time of [0, 100, 40, 140, 80]) timeline.stamp(VIDEO, time, 0);
    timeline.restart();
    assert.equal(timeline.now, 140);
    assert.equal(timeline.stamp(VIDEO, 50_000, 5000), 150);
  }
});

Deno.test("full: what comes in never makes the timeline step by more than 250 ms", () => {
  const events = fc.array(
    fc.record({
      original: fc.oneof(fc.nat(2 ** 31 - 1), fc.nat(2000), fc.constantFrom(0, 2 ** 31 - 1)),
      restart: fc.boolean(),
    }),
    { maxLength: 200 },
  );
  fc.assert(fc.property(events, (events) => {
    const timeline = new Timeline("full");
    let last = -1;
    let highest = -1;
    // All in one burst: no step is real.
    for (const { original, restart } of events) {
      if (restart) timeline.restart();
      const next = timeline.stamp(VIDEO, original, 0);
      const before = restart ? highest : last;
      const starts = before < 0;
      assert.ok(next >= 0 && (starts || Math.abs(next - before) <= 250), `${before} -> ${next}`);
      if (restart) assert.ok(next >= highest, `takeover goes back: ${highest} -> ${next}`);
      assert.equal(timeline.now, next);
      last = next;
      highest = Math.max(highest, next);
    }
  }));
});

Deno.test("zero: starts at 0, and changes nothing else", () => {
  assert.deepEqual(stamps("zero", [5000, 5040, 9000, 8900, 4000]), [0, 40, 4000, 3900, 0]);
});

Deno.test("F1: zero: a wrap is no jump", () => {
  const wrap = 2 ** 31;
  assert.deepEqual(stamps("zero", [wrap - 40, wrap - 1, 0, 40, 20]), [0, 39, 40, 80, 60]);
});

Deno.test("zero: the next publisher goes on where the last one ended", () => {
  const timeline = new Timeline("zero");
  timeline.stamp(VIDEO, 5000, 0);
  assert.equal(timeline.stamp(VIDEO, 6000, 1000), 1000);
  timeline.restart();
  assert.equal(timeline.stamp(VIDEO, 70_000, 5000), 1010);
  assert.equal(timeline.stamp(VIDEO, 70_040, 5040), 1050);
});

Deno.test("off: untouched, whatever it is", () => {
  const odd = [50_000, 0, HOUR_MS, 2 ** 31 - 1, 0, 0];
  assert.deepEqual(stamps("off", odd), odd);
  const timeline = new Timeline("off");
  timeline.stamp(VIDEO, 9000, 0);
  timeline.restart();
  assert.equal(timeline.stamp(VIDEO, 10, 1), 10);
  assert.equal(timeline.now, 10);
});

// ---- F1, F2: audio and video apart

interface Sent {
  readonly track: number;
  readonly original: number;
  /** When it comes, ms. */
  readonly at: number;
}

/** The frames of one track, `span` ms of them, whose clock is `skew` ahead. */
function frames(track: number, frameMs: number, skew: number, span: number): Sent[] {
  const all: Sent[] = [];
  for (let t = 0; t <= span; t += frameMs) {
    all.push({ track, original: Math.round(t + skew), at: t });
  }
  return all;
}

/** In the order in which they come; what comes at one time stays in order. */
function interleave(...tracks: Sent[][]): Sent[] {
  return tracks.flat().sort((a, b) => a.at - b.at);
}

/** Stamps all, in a burst or at their time, and adds what came out. */
function run(
  sent: readonly Sent[],
  burst = false,
  timeline = new Timeline("full"),
): (Sent & { readonly out: number })[] {
  return sent.map((s) => ({ ...s, out: timeline.stamp(s.track, s.original, burst ? 0 : s.at) }));
}

/** Asserts that every message has moved by the same time. */
function assertOneOffset(stamped: readonly (Sent & { readonly out: number })[], label: string) {
  const offset = stamped[0].out - stamped[0].original;
  for (const { track, original, out } of stamped) {
    assert.equal(out - original, offset, `${label}: track ${track}, ${original} -> ${out}`);
  }
}

const SKEWS = [0, 20, 100, 240, 450, 1000, 2000, 20_000].flatMap((skew) => [skew, -skew]);
const FRAME_RATES = [1, 10, 25, 60];
/** AAC at 44.1 kHz, MP3 at 44.1 kHz, Opus; null: one audio message for each video frame. */
const AUDIO_FRAMES_MS = [1024 / 44.1, 1152 / 44.1, 20, null];

Deno.test("F1: 4960 ms of media span 4960 ms, whatever the distance between tracks", () => {
  for (const skew of SKEWS) {
    for (const fps of FRAME_RATES) {
      for (const audioMs of AUDIO_FRAMES_MS) {
        for (const start of [0, 30_000]) {
          const videoMs = 1000 / fps;
          const audio = frames(AUDIO, audioMs ?? videoMs, start + Math.max(0, skew), 4960);
          const video = frames(VIDEO, videoMs, start + Math.max(0, -skew), 4960);
          for (const sent of [interleave(audio, video), interleave(video, audio)]) {
            for (const burst of [false, true]) {
              // One message of each kind in a second, all at once: nothing tells that from jumps.
              if (burst && fps === 1 && audioMs === null) continue;
              assertOneOffset(run(sent, burst), `skew ${skew}, ${fps} fps, audio ${audioMs} ms`);
            }
          }
        }
      }
    }
  }
});

Deno.test("F1: a microphone that starts late at 0 keeps its time", () => {
  const video = frames(VIDEO, 40, 0, 20_000);
  const audio = frames(AUDIO, 20, 0, 10_000).map((s) => ({ ...s, at: s.at + 10_000 }));
  assertOneOffset(run(interleave(video, audio)), "late microphone");
});

Deno.test("F2: 4.8 s in lumps of audio and then video span 4.8 s", () => {
  for (const lumpMs of [100, 400, 1000]) {
    for (const burst of [true, false]) {
      const lump = (s: Sent, last: number): Sent => ({
        ...s,
        at: (Math.floor(s.original / lumpMs) + 1) * lumpMs + last,
      });
      const audio = frames(AUDIO, 20, 0, 4800).map((s) => lump(s, 0));
      const video = frames(VIDEO, 40, 0, 4800).map((s) => lump(s, 1));
      assertOneOffset(run(interleave(audio, video), burst), `lumps of ${lumpMs} ms`);
    }
  }
});

Deno.test("F1: any skew, start, lumps, rates and order, in a burst or not: one offset for all", () => {
  fc.assert(fc.property(
    fc.record({
      skew: fc.integer({ min: -2000, max: 2000 }),
      // Also with a wrap in the middle.
      start: fc.oneof(
        fc.integer({ min: 2000, max: 2 ** 31 - 7000 }),
        fc.integer({ min: 2 ** 31 - 7000, max: 2 ** 31 - 2001 }),
        fc.constant(2000),
      ),
      lumpMs: fc.integer({ min: 1, max: 1000 }),
      fps: fc.integer({ min: 5, max: 60 }),
      audioMs: fc.constantFrom(20, 1024 / 48, 1152 / 44.1, 60),
      burst: fc.boolean(),
      audioFirst: fc.boolean(),
    }),
    ({ skew, start, lumpMs, fps, audioMs, burst, audioFirst }) => {
      const lump = (sent: Sent[], last: number) =>
        sent.map((s) => ({
          ...s,
          original: s.original % 2 ** 31,
          at: (Math.floor(s.at / lumpMs) + 1) * lumpMs + last,
        }));
      const audio = lump(frames(AUDIO, audioMs, start + skew, 5000), audioFirst ? 0 : 0.5);
      const video = lump(frames(VIDEO, 1000 / fps, start, 5000), audioFirst ? 0.5 : 0);
      const stamped = run(interleave(audio, video), burst);
      const wrapped = (n: number) => ((n % 2 ** 31) + 2 ** 31) % 2 ** 31;
      const offset = wrapped(stamped[0].out - stamped[0].original);
      for (const { original, out } of stamped) {
        assert.equal(wrapped(out - original), offset, `${original} -> ${out}`);
      }
    },
  ));
});

/** Shifts the originals of what comes from `at` on. */
function jump(sent: Sent[], at: number, byMs: number): Sent[] {
  return sent.map((s) => s.at < at ? s : { ...s, original: s.original + byMs });
}

Deno.test("F1: a track jumps against itself, and the other goes on", () => {
  for (const byMs of [-4000, 5000, HOUR_MS]) {
    const audio = frames(AUDIO, 20, 10_000, 9000);
    const video = jump(frames(VIDEO, 40, 10_000, 9000), 5000, byMs);
    const stamped = run(interleave(audio, video));
    assertOneOffset(stamped.filter(({ track }) => track === AUDIO), `audio, jump ${byMs}`);
    const out = stamped.filter(({ track }) => track === VIDEO).map(({ out }) => out);
    out.slice(1).forEach((time, i) => {
      assert.equal(time - out[i], i + 1 === 125 ? 10 : 40, `jump ${byMs}, frame ${i + 1}`);
    });
  }
});

Deno.test("F1: both tracks jump together and keep their distance", () => {
  for (const byMs of [-9000, 600, 5000, HOUR_MS]) {
    for (const skew of [-1000, -100, 0, 100, 1000]) {
      for (const order of ["audio", "video"]) {
        const audio = jump(frames(AUDIO, 20, 10_000 + skew, 9000), 5000, byMs);
        const video = jump(frames(VIDEO, 40, 10_000, 9000), 5000, byMs);
        const sent = order === "audio" ? interleave(audio, video) : interleave(video, audio);
        const stamped = run(sent);
        const label = `jump ${byMs}, skew ${skew}, ${order} first`;
        assertOneOffset(stamped.filter(({ at }) => at < 5000), label);
        assertOneOffset(stamped.filter(({ at }) => at >= 5000), label);
      }
    }
  }
});

Deno.test("F1: both jump together, and the video has one frame in a second", () => {
  for (const audioMs of [20, 1024 / 44.1, 1000]) {
    for (const skew of [-1000, 0, 450]) {
      for (const byMs of [-9000, HOUR_MS]) {
        const audio = jump(frames(AUDIO, audioMs, 10_000 + skew, 9000), 5000, byMs);
        const video = jump(frames(VIDEO, 1000, 10_000, 9000), 5000, byMs);
        for (const sent of [interleave(audio, video), interleave(video, audio)]) {
          const stamped = run(sent);
          const label = `audio ${audioMs} ms, skew ${skew}, jump ${byMs}, first ${sent[0].track}`;
          const [before, after] = [4000, 5000].map((at) =>
            stamped.filter((s) => s.track === VIDEO && s.at === at)[0].out
          );
          assert.ok(after > before && after <= before + 1250, `${label}: ${before} -> ${after}`);
          assertOneOffset(stamped.filter(({ at }) => at >= 5000), label);
        }
      }
    }
  }
});

Deno.test("F1: only a slow camera's pace goes on over a jump, no gap's", () => {
  const last = (originals: number[], gapMs: number) => {
    const timeline = new Timeline("full");
    let now = 0;
    const out = originals.map((time, i) => {
      if (i > 0 && time > originals[i - 1]) now += gapMs;
      return timeline.stamp(VIDEO, time, now);
    });
    return out[out.length - 1] - out[out.length - 2];
  };
  assert.equal(last([0, 1000, 2000, 3000, 0], 1000), 1000);
  assert.equal(last([0, 1000, 0], 1000), 10);
  assert.equal(last([0, 1000, 2000, 2040, 0], 1000), 10);
  assert.equal(last([0, 1000, 2000, 2040, 3040, 0], 1000), 10);
  assert.equal(last([0, 6000, 12_000, 18_000, 0], 6000), 10);
});

Deno.test("F1: a track that jumps twice takes no other track's jump for its own", () => {
  const jumps = [[VIDEO, 0], [VIDEO, 5000], [VIDEO, 10_200]];
  const timeline = new Timeline("full");
  assert.deepEqual(jumps.map(([track, time]) => timeline.stamp(track, time, 0)), [0, 10, 20]);
  const both = [[VIDEO, 0], [AUDIO, 0], [VIDEO, 5000], [AUDIO, 5000], [AUDIO, 10_200]];
  const other = new Timeline("full");
  assert.deepEqual(both.map(([track, time]) => other.stamp(track, time, 0)), [0, 0, 10, 10, 20]);
});

Deno.test("F1: a gap in the audio between two frames of a slow camera, in a burst", () => {
  const video = frames(VIDEO, 2000, 0, 9000);
  const audio = frames(AUDIO, 20, 0, 9000).filter(({ at }) => at < 5000 || at > 5500);
  assertOneOffset(run(interleave(video, audio), true), "gap");
});

Deno.test("F1: a gap in one track is no jump, in a burst neither", () => {
  for (const burst of [true, false]) {
    const video = frames(VIDEO, 40, 0, 9000);
    const audio = frames(AUDIO, 20, 300, 9000).filter(({ at }) => at < 3000 || at > 6000);
    assertOneOffset(run(interleave(video, audio), burst), `burst ${burst}`);
  }
});

Deno.test("F1: after a reconnect the tracks keep their distance and none goes back", () => {
  for (const skew of [-1000, -240, 0, 240, 1000]) {
    for (const audioFirst of [true, false]) {
      const audio = frames(AUDIO, 20, 5000 + skew, 3000);
      const video = frames(VIDEO, 40, 5000, 3000);
      const sent = audioFirst ? interleave(audio, video) : interleave(video, audio);
      const timeline = new Timeline("full");
      const before = run(sent, false, timeline);
      timeline.restart();
      const after = run(sent.map((s) => ({ ...s, original: s.original - 4000 })), false, timeline);
      assertOneOffset(after, `skew ${skew}`);
      for (const track of [AUDIO, VIDEO]) {
        const last = Math.max(...before.filter((s) => s.track === track).map(({ out }) => out));
        const next = after.find((s) => s.track === track)?.out ?? -1;
        assert.ok(next > last, `skew ${skew}, track ${track}: ${last} -> ${next}`);
      }
    }
  }
});

Deno.test("F2: an edge does not correct what its origin has corrected", () => {
  const edge = new Timeline("full");
  edge.restart("full", true);
  const audio = jump(frames(AUDIO, 20, 0, 4000), 2000, 3000);
  const video = jump(frames(VIDEO, 40, 500, 4000), 1000, 700);
  assertOneOffset(run(interleave(audio, video), true, edge), "edge");
  // What such an origin never sends: its publisher has changed, and it has not corrected that.
  const before = edge.highest;
  const back = edge.stamp(VIDEO, 0, 4000);
  assert.ok(back > 0 && back <= before + 10, `${before} -> ${back}`);
});

Deno.test("F1: a track that begins below 0 is in its place as soon as it is above", () => {
  const video = frames(VIDEO, 40, 0, 3000);
  const audio = frames(AUDIO, 20, 2 ** 32 - 1000, 3000)
    .map((s) => ({ ...s, original: s.original % 2 ** 31 }));
  const out = run(interleave(video, audio)).filter(({ track }) => track === AUDIO);
  for (const { at, out: time } of out) assert.equal(time, Math.max(0, at - 1000));
});

Deno.test("F1: a distance for which there is no room is a jump, and time goes on", () => {
  const timeline = new Timeline("full");
  timeline.stamp(VIDEO, HOUR_MS, 0);
  assert.equal(timeline.stamp(AUDIO, 0, 0), 60_000);
  assert.equal(timeline.stamp(AUDIO, 20, 20), 60_020);
});

Deno.test("F1: tracks are told apart by their id", () => {
  const second = trackKey(true, 1);
  const sent = interleave(frames(VIDEO, 40, 0, 3000), frames(second, 40, 1500, 3000));
  assertOneOffset(run(sent), "two video tracks");
});

Deno.test("F1: a sequence header at 0 moves nothing", () => {
  const timeline = new Timeline("full");
  assert.equal(timeline.stampHeader(VIDEO, 0, 0), 0);
  assert.equal(timeline.stampHeader(AUDIO, 0, 0), 0);
  assert.equal(timeline.stamp(VIDEO, 50_000, 0), 50_000);
  assert.equal(timeline.stamp(AUDIO, 49_000, 0), 49_000);
  assert.equal(timeline.stampHeader(VIDEO, 0, 40), 50_000);
  assert.equal(timeline.stampHeader(VIDEO, 50_040, 40), 50_040);
  assert.equal(timeline.stamp(VIDEO, 50_040, 40), 50_040);
});
