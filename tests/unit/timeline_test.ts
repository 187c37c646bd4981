/**
 * One timeline out of any publisher's timestamps (spec: streaming §5).
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { TimeJitter } from "../../src/config/types.ts";
import { Timeline } from "../../src/live/timeline.ts";

const HOUR_MS = 3_600_000;

/** Stamps in turn; messages come 40 ms apart unless said otherwise. */
function stamps(jitter: TimeJitter, originals: number[], gapMs = 40): number[] {
  const timeline = new Timeline(jitter);
  return originals.map((original, i) => timeline.stamp(original, i * gapMs));
}

Deno.test("full: the first message of a stream, as SRS has it", () => {
  assert.deepEqual(stamps("full", [0]), [0]);
  assert.deepEqual(stamps("full", [100]), [99]);
  assert.deepEqual(stamps("full", [250]), [249]);
  assert.deepEqual(stamps("full", [251]), [9]);
  assert.deepEqual(stamps("full", [50_000]), [9]);
});

Deno.test("full: steps up to 250 ms either way are kept, larger ones become 10 ms", () => {
  assert.deepEqual(stamps("full", [0, 250, 500], 1), [0, 250, 500]);
  assert.deepEqual(stamps("full", [0, 200, 100, 350], 1), [0, 200, 100, 350]);
  assert.deepEqual(stamps("full", [0, 251, 502], 1), [0, 10, 20]);
  assert.deepEqual(stamps("full", [100, 400, 149, 189], 1), [99, 109, 119, 159]);
});

Deno.test("full: it is never negative", () => {
  assert.deepEqual(stamps("full", [100, 0, 0, 40]), [99, 0, 0, 40]);
  assert.deepEqual(stamps("full", [200, 100, 0, 0]), [199, 99, 0, 0]);
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
  // The first message has no predecessor that it could be a second after.
  assert.deepEqual(stamps("full", [1000], 1000), [9]);
});

Deno.test("full: jumps of an hour, constant time, and the wrap at 2^31 (H24, Q5, Q48)", () => {
  assert.deepEqual(
    stamps("full", [0, 40, HOUR_MS, HOUR_MS + 40, 80, 120]),
    [0, 40, 50, 90, 100, 140],
  );
  assert.deepEqual(stamps("full", [40, 40, 40, 40]), [39, 39, 39, 39]);
  const wrap = 2 ** 31;
  assert.deepEqual(stamps("full", [wrap - 40, wrap - 1, 39, 79]), [9, 48, 58, 98]);
});

Deno.test("full: the next publisher goes on where the last one ended", () => {
  for (const first of [0, 7, 900, 999, 1000, 1040, 1250, 50_000, 2 ** 31 - 1]) {
    const timeline = new Timeline("full");
    for (let t = 0; t <= 1000; t += 40) timeline.stamp(t, t);
    const before = timeline.now;
    timeline.restart();
    assert.equal(timeline.now, before);
    const taken = timeline.stamp(first, 6000);
    assert.ok(taken >= before && taken <= before + 250, `first ${first}: ${before} -> ${taken}`);
    assert.equal(timeline.stamp(first + 33, 6033), taken + 33);
  }
});

Deno.test("full: the next publisher is not behind what any track has had", () => {
  for (const jitter of ["full", "zero"] as const) {
    const timeline = new Timeline(jitter);
    // Sound is 100 ms ahead of the pictures.
    for (const time of [0, 100, 40, 140, 80]) timeline.stamp(time, 0);
    timeline.restart();
    assert.equal(timeline.now, 140);
    assert.equal(timeline.stamp(50_000, 5000), 150);
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
    let last = 0;
    let highest = 0;
    // All in one burst: no step is real.
    for (const { original, restart } of events) {
      if (restart) timeline.restart();
      const next = timeline.stamp(original, 0);
      const before = restart ? highest : last;
      assert.ok(next >= 0 && Math.abs(next - before) <= 250, `${before} -> ${next}`);
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

Deno.test("zero: the next publisher goes on where the last one ended", () => {
  const timeline = new Timeline("zero");
  timeline.stamp(5000, 0);
  assert.equal(timeline.stamp(6000, 1000), 1000);
  timeline.restart();
  assert.equal(timeline.stamp(70_000, 5000), 1010);
  assert.equal(timeline.stamp(70_040, 5040), 1050);
});

Deno.test("off: untouched, whatever it is", () => {
  const odd = [50_000, 0, HOUR_MS, 2 ** 31 - 1, 0, 0];
  assert.deepEqual(stamps("off", odd), odd);
  const timeline = new Timeline("off");
  timeline.stamp(9000, 0);
  timeline.restart();
  assert.equal(timeline.stamp(10, 1), 10);
  assert.equal(timeline.now, 10);
});
